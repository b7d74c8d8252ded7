"""Graded classes through the whole chain: the quadratic kappa goes where the accuracy goes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgekd.cli import main

GRADES = 3
RECIPE = """
name: graded
image_size: 32
data: {{source: csv, file: {table}, classes: ["0", "1", "2"], ordered: true}}
split: {{validation: 0.4, test: 0.2}}
student:
  model: {{arch: resnet10t, options: {{channels: [4, 4, 8, 8], stem_width: 4, act_layer: relu6}}}}
  fit: {{epochs: 8, batch_size: 16, learning_rate: 1.0e-2}}
method: {{name: none}}
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """260 photos, darker from grade to grade."""
    folder = tmp_path_factory.mktemp("grades")
    generator = np.random.default_rng(0)
    rows = ["image,label"]
    for number in range(260):
        grade = number % GRADES
        noise = generator.integers(0, 60, size=(32, 32, 3))
        assert cv2.imwrite(str(folder / f"{number}.png"), (190 - 60 * grade + noise).astype("u1"))
        rows.append(f"{number}.png,{grade}")
    (folder / "grades.csv").write_text("\n".join(rows) + "\n")
    return folder / "grades.csv"


@pytest.fixture(scope="module")
def run(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    (out / "graded.yaml").write_text(RECIPE.format(table=table))
    assert main(["distill", str(out / "graded.yaml"), "--out", str(out)]) == 0
    build = ["build", "--target", "cpu", "--precision", "fp32", "--critical", "none"]
    assert main([*build, "--model", str(out), "--out", str(out / "bundles")]) == 0
    return out


def test_the_bundle_tells_its_kappa(run: Path) -> None:
    bundle = run / "bundles" / "cpu-fp32"
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["model"]["ordered"] is True
    student = json.loads((run / "student" / "metrics.json").read_text())["validation"]
    artefact = manifest["metrics"]["artefact"]
    assert student["quadratic_kappa"]["value"] > 0.5  # it learned: a constant answer has 0
    assert artefact["quadratic_kappa"]["value"] == student["quadratic_kappa"]["value"]
    (head,) = [
        line for line in (bundle / "card.md").read_text().splitlines() if "macro AUROC" in line
    ]
    assert head.endswith("| quadratic kappa |")


@pytest.mark.parametrize("model", ["bundles/cpu-fp32", "student"])
def test_eval_measures_it(run: Path, table: Path, model: str, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    arguments = ["eval", str(run / model), "--csv", str(table), "--allow-leaks"]
    assert main([*arguments, "--json", str(out)]) == 0
    (row,) = json.loads(out.read_text())["rows"]
    assert -1 <= row["metrics"]["quadratic_kappa"]["value"] <= 1


@pytest.mark.parametrize("verb", ["eval", pytest.param("bench", marks=pytest.mark.slow)])
def test_the_reports_have_a_column(
    run: Path, table: Path, verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    measure = {
        "eval": ["eval", str(run / "bundles" / "cpu-fp32"), "--csv", str(table), "--allow-leaks"],
        "bench": ["bench", "--device", "cpu", "--preset", "smoke", "--run", str(run)],
    }
    assert main([*measure[verb], "--json", str(out)]) == 0
    assert "κ² %" in capsys.readouterr().out
    page, markdown, sheet = (tmp_path / f"out.{kind}" for kind in ("html", "md", "csv"))
    written = ["--html", str(page), "--markdown", str(markdown), "--csv", str(sheet)]
    assert main(["report", str(out), *written]) == 0
    assert "Quadratic kappa, %" in page.read_text()
    assert "Quadratic kappa, %" in markdown.read_text()
    assert "quadratic_kappa_interval_low" in sheet.read_text().splitlines()[0]
