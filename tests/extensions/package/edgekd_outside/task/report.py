"""The report layer: r² and the mean absolute error."""

from __future__ import annotations

from edgekd.bench.task import ReportTask


class Report(ReportTask):
    """Every measure of the task is a column."""

    changed_answer = "Images whose number differs from the float student's"
