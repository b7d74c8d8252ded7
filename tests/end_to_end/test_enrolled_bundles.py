"""From a trained student to a bundle that a board teaches new classes, by two engines."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekd.bundle import Bundle
from edgekd.cli import main
from edgekd.runtime import Classifier

NAMES = {"nv": "spot", "mel": "dark patch", "vasc": "red mole"}
FEW = 8


def tables(run: Path, folder: Path) -> tuple[Path, Path]:
    """A few lesions of each class that teach it, and the others; none was trained on."""
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    with (run / "student" / "split.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["part"] == "test" and row["label"] in NAMES:
                rows[row["label"]].append(row)
    written = []
    for name in ("few", "others"):
        path = folder / f"{name}.csv"
        with path.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["image", "label", "lesion"])
            for label, of in rows.items():
                first = list(dict.fromkeys(row["group"] for row in of))[:FEW]
                for row in of:
                    if (row["group"] in first) == (name == "few"):
                        table.writerow([row["image"], NAMES[label], row["group"]])
        written.append(path)
    return written[0], written[1]


@pytest.mark.parametrize("target", ["cpu-onnx", "rpi"])
def test_classes_are_taught_by_a_few_photos(
    small_run: Path, teachable: Path, tmp_path: Path, target: str, capsys: Any
) -> None:
    few, others = tables(small_run, tmp_path)
    bundle, out = teachable / f"{target}-int8", tmp_path / "enrolled"
    words = ["--group-column", "lesion", "--image-root", str(small_run / "data")]
    arguments = ["enrol", str(bundle), "--csv", str(few), "--out", str(out), *words, "--json"]
    assert main(arguments) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["enrolled"]
    assert set(result["classes"]) == set(NAMES.values())
    assert result["balanced_accuracy"]["low"] > 1 / 3
    assert main(["verify", str(out)]) == 0
    assert "warning: enrolled, not certified: taught 3 classes" in capsys.readouterr().err
    with Bundle.open(bundle) as taught, Bundle.open(out) as enrolled:
        assert taught.manifest.lowering.precision == "int8"
        record = taught.manifest.features
        assert record is not None
        assert (
            enrolled.read(record.model_file)
            == (bundle / "features" / record.model_file).read_bytes()
        )
    measured = tmp_path / "measured.json"
    words += ["--json", str(measured)]
    assert main(["eval", str(out), "--csv", str(others), *words]) == 0
    (row,) = json.loads(measured.read_text())["rows"]
    assert row["metrics"]["balanced_accuracy"]["value"] > 0.4  # chance is 0.333
    assert row["research"]
    assert row["below_floors"][0].startswith("not certified: enrolled, taught 3 classes")


def test_two_engines_are_taught_the_same(small_run: Path, teachable: Path, tmp_path: Path) -> None:
    few, _ = tables(small_run, tmp_path)
    words = ["--group-column", "lesion", "--image-root", str(small_run / "data")]
    heads = []
    for target in ("cpu-onnx", "rpi"):
        out = tmp_path / target
        assert main(["enrol", str(teachable / f"{target}-int8"), "--csv", str(few), "--out",
                     str(out), *words]) == 0  # fmt: skip
        with Classifier.open(out) as classifier:
            head = classifier.manifest.head
        assert head is not None
        heads.append(np.array(head.weights))
    np.testing.assert_allclose(*heads, atol=1e-4)
