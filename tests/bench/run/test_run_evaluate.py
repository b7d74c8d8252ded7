"""Accuracy alone, of bundles of both tasks, one or several side by side."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from edgekd.bench.run.evaluate import evaluate, is_bundle, model_facts
from edgekd.bench.subjects.labelled import data_of_csv
from edgekd.cli import main
from edgekd.errors import ArtefactError, InputError
from edgekd.extensions.tasks import DEFAULT_TASK

FINDINGS = ("red", "green", "blue")
TASK = "multilabel"


def test_a_bundle_of_classes(data, make_bundle):
    evaluation = evaluate([make_bundle()], data, command="eval")
    (row,) = evaluation.result.rows
    assert row.metrics.balanced_accuracy.value == 1.0
    assert {flag.code for flag in row.flags} == {"latency-not-measured", "accuracy-from-host"}
    assert evaluation.result.task == DEFAULT_TASK
    (answers,) = evaluation.answers
    assert [each.label for each in answers.images] == data.labels
    assert {each.decision for each in answers.images} == {"answer"}
    assert answers.decision.temperature == 2.0


def test_models_side_by_side_have_names_of_their_own(data, make_bundle):
    steps: list[int] = []
    paths = [make_bundle(), make_bundle(), make_bundle("rpi")]
    evaluation = evaluate(paths, data, command="eval", step=steps.append)
    names = [row.name for row in evaluation.result.rows]
    assert names == ["cpu fp32 (cpu) 1", "cpu fp32 (cpu) 2", "rpi fp32"]
    assert sum(steps) == 3 * len(data.images)
    assert [each.path for each in evaluation.answers] == paths


@pytest.fixture
def table(data, tmp_path) -> Path:
    """The images with a column for each finding: a photo's brightest colour, and blue of some."""
    file = tmp_path / "findings.csv"
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("image", *FINDINGS))
        for index, path in enumerate(data.paths):
            cells = [int(index % 3 == column) for column in range(3)]
            writer.writerow((path, cells[0], cells[1], "yes" if cells[2] else "no"))
    return file


def test_a_bundle_of_findings_from_several_label_columns(table, make_bundle):
    bundle = make_bundle(classes=FINDINGS, task=TASK)
    facts = model_facts(bundle)
    assert (facts.task, facts.classes) == (TASK, FINDINGS)
    data = data_of_csv(table, FINDINGS, task=TASK, label_column=FINDINGS, root=Path("/"))
    evaluation = evaluate([bundle], data, command="eval")
    (row,) = evaluation.result.rows
    assert evaluation.result.task == TASK
    # Means of colours are positive logits: every finding is answered present.
    assert row.metrics.per_class["red"].sensitivity.value == 1.0
    assert row.metrics.per_class["red"].specificity.value == 0.0
    assert data.labels[0] == "red"
    assert evaluation.answers[0].images[0].label == "red;green;blue"


def test_the_verb_reads_label_columns(table, make_bundle, tmp_path, capsys):
    bundle, out = make_bundle(classes=FINDINGS, task=TASK), tmp_path / "result.json"
    columns = ",".join(FINDINGS)
    arguments = ["eval", str(bundle), "--csv", str(table), "--label-column", columns]
    assert main([*arguments, "--image-root", "/", "--json", str(out)]) in (0, None)
    assert '"task": "multilabel"' in out.read_text()
    assert "Bal. acc. %" in capsys.readouterr().out


def test_a_model_of_another_task_is_refused(data, make_bundle):
    with pytest.raises(InputError, match="made for multilabel, the labels for classification"):
        evaluate([make_bundle(classes=data.classes, task=TASK)], data, command="eval")


def test_what_is_neither_bundle_nor_checkpoint(tmp_path):
    with pytest.raises(InputError, match="nothing at"):
        is_bundle(tmp_path / "none")
    with pytest.raises(ArtefactError, match="neither a bundle"):
        is_bundle(tmp_path)
