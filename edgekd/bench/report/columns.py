"""Which metric columns a report has, by task and policy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgekd.bench.result import Metrics, PolicyFacts, Result
from edgekd.bench.task import MetricColumn, ReportTask, report_task

__all__ = ["Columns", "columns_of", "policy_of"]


@dataclass(frozen=True)
class Columns:
    """The metric columns of some results of one or several tasks.

    Attributes:
        headline: Columns of every table; the first one is the accuracy axis of pictures.
        details: Further columns.
    """

    headline: tuple[MetricColumn, ...] = ()
    details: tuple[MetricColumn, ...] = ()

    @property
    def axis(self) -> MetricColumn | None:
        """The metric of the accuracy axis; None where nothing was measured."""
        return self.headline[0] if self.headline else None


def columns_of(results: Iterable[Result]) -> Columns:
    """The columns of all results together, without repetitions."""
    headline: list[MetricColumn] = []
    details: list[MetricColumn] = []
    for result in results:
        metrics, task = _metrics_of(result), report_task(result.task)
        if metrics is not None:
            headline += task.headline(metrics, policy_of(result))
            details += task.details(metrics)
    return Columns(tuple(dict.fromkeys(headline)), tuple(dict.fromkeys(details)))


def policy_of(result: Result) -> PolicyFacts:
    """The policy whose words a report uses: that of a bundle if it records one, else the run's."""
    recorded = (row.policy for row in result.rows if row.policy is not None)
    return next(recorded, result.policy or PolicyFacts(name="none", sha256=""))


def tasks_of(results: Sequence[Result]) -> list[ReportTask]:
    """The report layer of every task that the results have."""
    return [report_task(name) for name in dict.fromkeys(result.task for result in results)]


def _metrics_of(result: Result) -> Metrics | None:
    return next((row.metrics for row in result.rows if row.metrics is not None), None)
