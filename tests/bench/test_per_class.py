"""Columns of tasks whose metrics have a sensitivity for each class."""

from __future__ import annotations

import msgspec
from bench_results import POLICY, sample_result

from edgekd.bench.per_class import PerClassReport


class Report(PerClassReport):
    changed_answer = "Images whose answer changed"


METRICS = sample_result().rows[0].metrics


def test_several_classes_can_be_named_first() -> None:
    policy = msgspec.structs.replace(POLICY, first=["BCC", "mel"])
    titles = [column.title for column in Report().headline(METRICS, policy)]
    assert titles == ["Balanced accuracy", "Sensitivity for bcc", "Sensitivity for mel"]


def test_details_leave_out_what_the_task_lacks() -> None:
    bare = msgspec.structs.replace(METRICS, macro_auroc=None, ece=None)
    assert [column.key for column in Report().details(bare)] == ["accuracy", "macro_f1"]


def test_critical_classes_have_their_sensitivity() -> None:
    (column,) = Report().critical_columns(["mel"])
    assert column.estimate(METRICS) == METRICS.per_class["mel"].sensitivity
    assert (column.key, column.member) == ("sensitivity", "mel")
