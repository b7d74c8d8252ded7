"""The report of findings that may stand together: columns, pictures, changed images."""

from __future__ import annotations

import csv
import io
import re

import numpy as np
import pytest
from findings_result import FINDINGS, TASK, findings_result
from rich.console import Console

from edgekd.bench.report import pictures, print_table
from edgekd.bench.report.gallery import changed_images
from edgekd.bench.report.markdown import markdown_of
from edgekd.bench.report.marked_rows import marked_rows_of, parts_of
from edgekd.bench.report.page import render_page
from edgekd.bench.report.pareto import pareto_pictures
from edgekd.bench.report.spreadsheet import csv_of
from edgekd.bench.task import report_task
from edgekd.tasks.multilabel.manifest import Decision


def test_scores_are_a_probability_for_each_finding():
    scores = report_task(TASK).scores(np.array([0.0, 800.0, -800.0]), FINDINGS)
    assert scores == {"streaks": 0.5, "network": 1.0, "globules": 0.0}
    assert report_task(TASK).answer(scores) == {"streaks", "network"}
    assert report_task(TASK).answer({}) == set()


@pytest.mark.parametrize(
    ("label", "names"), [("a;b", {"a", "b"}), ("none", set()), ("", set()), ("a", {"a"})]
)
def test_a_label_stands_for_its_findings(label, names):
    assert report_task(TASK).label_names(label) == names


def test_the_table_has_balanced_accuracy_and_states():
    stream = io.StringIO()
    print_table(findings_result(), Console(file=stream, width=100, color_system=None))
    text = " ".join(stream.getvalue().split())
    assert "Bal. acc. %" in text
    assert "not inferior: cpu fp32; inferior: cpu int8." in text


def test_the_page_has_a_picture_for_each_finding():
    html = render_page(findings_result())
    assert "Sensitivity of each finding" in html
    assert len(re.findall(r'aria-label="Sensitivity for (\w+)', html)) == len(FINDINGS)
    assert "Images whose set of findings is not the float student" in html
    assert "most probable class" not in html
    assert "inferior to teacher" in html


def test_pictures():
    entries = marked_rows_of([findings_result()])
    assert [name for name, _, _ in pictures.class_pictures(entries)] == list(FINDINGS)
    (part,) = parts_of(entries)
    svg = pictures.accuracy_latency(entries, part.columns.axis)
    assert svg.count("<circle") == 2
    assert "Balanced accuracy over time per image" in pareto_pictures([findings_result()])[0]


def test_a_changed_image_shows_findings_gained_and_lost():
    (image,) = changed_images(marked_rows_of([findings_result()]), None)
    assert image.truth == {"streaks", "network"}
    assert image.answers == (
        frozenset({"streaks", "network"}),
        *[frozenset({"streaks", "globules"})] * 2,
    )
    assert image.lost


def test_markdown_and_spreadsheet():
    text = markdown_of([findings_result()])
    assert "not inferior to teacher" in text
    first, *_ = csv.DictReader(io.StringIO(csv_of([findings_result()])))
    assert float(first["sensitivity_streaks"]) > 0.5
    rows = list(csv.DictReader(io.StringIO(csv_of([findings_result()]))))
    assert [row["margin_state"] for row in rows] == ["", "not-inferior", "inferior"]


def test_the_thresholds_of_a_decision():
    task = report_task(TASK)
    decision = Decision(present_from={"network": 0.6}, absent_below={"network": 0.2})
    thresholds = {"present": 0.6, "cannot be excluded": 0.2}
    assert task.thresholds(decision, "network") == thresholds
    assert task.thresholds(decision, "streaks") == {"present": 0.5}
    assert task.refer_below(decision) is None
