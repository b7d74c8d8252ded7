"""Reports of a task from outside that has measures of its own alone, and lookups of columns."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from bench_results import POLICY, sample_result
from rich.console import Console

from edgekd.bench.compare.regression import compare_results
from edgekd.bench.compare.student import with_flips
from edgekd.bench.compare.teacher import with_teacher
from edgekd.bench.report import print_table
from edgekd.bench.report.columns import columns_of
from edgekd.bench.report.markdown import markdown_of
from edgekd.bench.report.page import render_page
from edgekd.bench.report.pareto import pareto_pictures
from edgekd.bench.report.spreadsheet import csv_of
from edgekd.bench.result import DataFacts, Result, ResultRow
from edgekd.bench.run.answers import Answered
from edgekd.bench.subjects.data import BenchData, data_facts
from edgekd.bench.task import MetricColumn, policy_order, report_task
from edgekd.errors import InputError
from edgekd.extensions import tasks
from edgekd.metrics.task import metrics_task

POLICY_OF_LENGTHS = msgspec.structs.replace(POLICY, metric="closeness", margin=0.5)


@pytest.fixture
def diameter(monkeypatch):
    """The task, as an entry point would bring it."""
    registry = replace(
        tasks.TASKS, built_in={**tasks.TASKS.built_in, "diameter": "diameter_task:TASK"}
    )
    monkeypatch.setattr(tasks, "TASKS", registry)
    return "diameter"


def data_of(task: str, data: BenchData) -> BenchData:
    images = [(path, f"{3 + index / 10:.1f}") for index, path in enumerate(data.paths)]
    return replace(data, images=images, classes=("diameter",), task=task)


def answers_of(data: BenchData, role: str, offset: float) -> Answered:
    wobble = np.random.default_rng(1).normal(0, 0.05, data.targets.shape)
    outputs = (data.targets + offset + wobble).astype(np.float32)
    metrics = metrics_task(data.task).evaluate(outputs, data.targets, data.classes)
    row = ResultRow(
        name=f"{role} {offset:g}",
        role=role,
        metrics=metrics,
        latency_ms=sample_result().rows[2].latency_ms,
        target="cpu" if role == "artefact" else None,
    )
    return Answered(row, data.paths[0], outputs, outputs)


def result_of(data: BenchData) -> Result:
    answers = [
        answers_of(data, "teacher", 0.1),
        answers_of(data, "student", 0.2),
        answers_of(data, "artefact", 0.3),
        answers_of(data, "artefact", 2.0),
    ]
    rows = [each.row for each in answers]
    rows = with_flips(with_teacher(rows, answers, data, POLICY_OF_LENGTHS), answers, data)
    return msgspec.structs.replace(
        sample_result(),
        task=data.task,
        data=data_facts(data),
        rows=rows,
        policy=POLICY_OF_LENGTHS,
    )


@pytest.fixture
def result(diameter, data) -> Result:
    return result_of(data_of(diameter, data))


def test_a_task_of_measures_is_compared_with_its_teacher(result):
    states = [row.vs_teacher.margin.state for row in result.rows[1:]]
    assert states == ["not-inferior", "not-inferior", "inferior"]
    assert [row.flipped for row in result.rows] == [None, None, 0, 36]
    assert result.rows[3].flips[0].student == {}


def test_its_table_has_a_column_for_each_measure(result):
    (column,) = columns_of([result]).headline
    assert (column.title, column.unit) == ("Closeness", "")
    stream = io.StringIO()
    print_table(result, Console(file=stream, width=100, color_system=None))
    assert "Closeness" in stream.getvalue()
    assert "margin 0.5 of closeness" in " ".join(stream.getvalue().split())


def test_its_page_markdown_and_pictures(result):
    html = render_page(result)
    assert "Closeness over time per image" in html
    assert "differs by a millimetre or more" in html
    assert "Sensitivity" not in html
    assert "Balanced accuracy" not in html
    assert "| Closeness |" in markdown_of([result])
    assert "Closeness over time" in pareto_pictures([result])[0]


def test_its_spreadsheet_has_its_measures(result):
    lines = list(csv.DictReader(io.StringIO(csv_of([result]))))
    assert float(lines[0]["closeness"]) == pytest.approx(-0.1, abs=0.03)
    assert float(lines[3]["closeness_delta_to_teacher"]) < -1
    assert lines[0]["balanced_accuracy"] == ""


def test_a_worse_measure_is_a_regression(result):
    worse = msgspec.structs.replace(result.rows[3], name="artefact 0.3")
    later = msgspec.structs.replace(result, rows=[*result.rows[:2], worse])
    changes = compare_results(result, later).of("regression")
    assert [change.metric for change in changes] == ["closeness"]


def test_results_of_two_tasks_cannot_be_compared(result):
    with pytest.raises(InputError, match="the tasks differ: diameter before"):
        compare_results(result, sample_result())


def test_a_column_finds_its_estimate():
    metrics = sample_result().rows[0].metrics
    column = MetricColumn("sensitivity", "Sensitivity for mel", "Sens. mel", "mel")
    assert column.estimate(metrics) == metrics.per_class["mel"].sensitivity
    assert column.estimate(None) is None
    assert replace(column, member="unknown").estimate(metrics) is None
    assert column.delta(sample_result().rows[1].vs_teacher) is None
    accuracy = MetricColumn("accuracy", "Accuracy", "Acc.")
    assert accuracy.estimate(metrics) == metrics.accuracy


def test_names_in_the_policys_order():
    policy = msgspec.structs.replace(POLICY, first=["MEL", "bcc"])
    assert policy_order(["akiec", "bcc", "mel"], policy) == ["mel", "bcc", "akiec"]


def test_an_unknown_task_is_refused():
    with pytest.raises(InputError, match="no task 'clasification'"):
        report_task("clasification")
    with pytest.raises(InputError):
        data_facts(BenchData("a", "test", ("x",), [], task="clasification"))
    assert DataFacts(name="a", split="b", n=0, sha256="").classes == []
