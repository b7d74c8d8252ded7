"""Accuracy alone, of bundles of both tasks, with the predictions as a table."""

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


def predictions(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_bundle_of_classes(data, make_bundle, tmp_path):
    evaluation = evaluate(make_bundle(), data, command="eval")
    (row,) = evaluation.result.rows
    assert row.metrics.balanced_accuracy.value == 1.0
    assert {flag.code for flag in row.flags} == {"latency-not-measured", "accuracy-from-host"}
    assert evaluation.result.task == DEFAULT_TASK
    evaluation.write_predictions(tmp_path / "predictions.csv")
    lines = predictions(tmp_path / "predictions.csv")
    assert list(lines[0]) == ["image", "label", "prediction", *data.classes]
    assert all(line["label"] == line["prediction"] for line in lines)
    assert sum(float(lines[0][name]) for name in data.classes) == pytest.approx(1, abs=1e-5)


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


def test_a_bundle_of_findings_from_several_label_columns(table, make_bundle, tmp_path):
    bundle = make_bundle(classes=FINDINGS, task=TASK)
    facts = model_facts(bundle)
    assert (facts.task, facts.classes) == (TASK, FINDINGS)
    data = data_of_csv(table, FINDINGS, task=TASK, label_column=FINDINGS, root=Path("/"))
    evaluation = evaluate(bundle, data, command="eval")
    (row,) = evaluation.result.rows
    assert evaluation.result.task == TASK
    # Means of colours are positive logits: every finding is answered present.
    assert row.metrics.per_class["red"].sensitivity.value == 1.0
    assert row.metrics.per_class["red"].specificity.value == 0.0
    evaluation.write_predictions(tmp_path / "predictions.csv")
    first, *_ = predictions(tmp_path / "predictions.csv")
    assert (first["label"], first["prediction"]) == ("red", "red;green;blue")


def test_the_verb_reads_label_columns(table, make_bundle, tmp_path, capsys):
    bundle, out = make_bundle(classes=FINDINGS, task=TASK), tmp_path / "result.json"
    columns = ",".join(FINDINGS)
    arguments = ["eval", str(bundle), "--csv", str(table), "--label-column", columns]
    assert main([*arguments, "--image-root", "/", "--json", str(out)]) in (0, None)
    assert '"task": "multilabel"' in out.read_text()
    assert "Bal. acc. %" in capsys.readouterr().out


def test_a_model_of_another_task_is_refused(data, make_bundle):
    with pytest.raises(InputError, match="made for multilabel, the labels for classification"):
        evaluate(make_bundle(classes=data.classes, task=TASK), data, command="eval")


def test_what_is_neither_bundle_nor_checkpoint(tmp_path):
    with pytest.raises(InputError, match="nothing at"):
        is_bundle(tmp_path / "none")
    with pytest.raises(ArtefactError, match="neither a bundle"):
        is_bundle(tmp_path)
