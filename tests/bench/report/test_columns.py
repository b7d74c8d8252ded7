"""Metric columns of several results, and the policy whose words a report uses."""

from __future__ import annotations

import msgspec
from bench_results import POLICY, board_result, sample_result

from edgekd.bench.report.columns import columns_of, policy_of, tasks_of
from edgekd.extensions.tasks import DEFAULT_TASK


def test_columns_are_not_repeated() -> None:
    columns = columns_of([sample_result(), board_result()])
    assert [column.short for column in columns.headline] == ["Bal. acc.", "Sens. mel"]
    assert columns.axis.key == "balanced_accuracy"
    assert columns.details[0].key == "accuracy"


def test_nothing_measured_is_no_column() -> None:
    rows = [msgspec.structs.replace(row, metrics=None) for row in sample_result().rows]
    columns = columns_of([msgspec.structs.replace(sample_result(), rows=rows)])
    assert (columns.headline, columns.axis) == ((), None)


def test_a_bundles_policy_comes_before_the_runs() -> None:
    result = sample_result()
    assert policy_of(result) == POLICY
    fundus = msgspec.structs.replace(POLICY, name="fundus", first=["4"], groups="patients")
    rows = [*result.rows[:2], msgspec.structs.replace(result.rows[2], policy=fundus)]
    assert policy_of(msgspec.structs.replace(result, rows=rows)) == fundus
    assert policy_of(msgspec.structs.replace(result, policy=None)).groups == "groups"


def test_one_layer_for_each_task() -> None:
    assert len(tasks_of([sample_result(), board_result()])) == 1
    assert sample_result().task == DEFAULT_TASK
