"""The whole chain for each target: what `edgekd build` wrote is opened, verified and asked."""

from __future__ import annotations

import csv
import json
from importlib.util import find_spec
from pathlib import Path

import lenient
import numpy as np
import pytest

from edgekd.bench.subjects.run_folder import subjects_of_run
from edgekd.bundle import Bundle
from edgekd.cli import main
from edgekd.lower.backends.tensorrt.lint import check_onnx
from edgekd.models import load_checkpoint, logits_of
from edgekd.page import folder as page_module
from edgekd.page.chromium import has_chromium
from edgekd.page.folder import ENGINES
from edgekd.runtime import Classifier

BACKENDS = {
    "cpu": None, "cpu-onnx": None, "android": None, "browser": None, "rpi": None, "jetson": "onnx",
}  # fmt: skip
BUNDLES = [(target, precision) for target in BACKENDS for precision in ("fp32", "int8")]


@pytest.fixture(scope="module")
def test_images(small_run: Path) -> list[Path]:
    return subjects_of_run(small_run).data.paths


def labels_csv(small_run: Path, out: Path) -> Path:
    data = subjects_of_run(small_run).data
    with out.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("image", "dx"))
        writer.writerows(data.images)
    return out


@pytest.mark.parametrize(("target", "precision"), BUNDLES)
def test_a_bundle_verifies_and_predicts(
    bundles: Path,
    test_images: list[Path],
    capsys: pytest.CaptureFixture[str],
    target: str,
    precision: str,
) -> None:
    bundle = str(bundles / f"{target}-{precision}")
    engine = ["--backend", "onnx"] if target == "jetson" else []
    assert main(["verify", bundle, *engine]) == 0
    capsys.readouterr()
    assert main(["predict", bundle, str(test_images[0]), "--json", *engine]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer["decision"] in ("answer", "refer")
    assert sum(answer["probabilities"].values()) == pytest.approx(1.0)


@pytest.mark.parametrize(("target", "precision"), BUNDLES)
def test_a_bundle_answers_like_the_float_student(
    bundles: Path, small_run: Path, test_images: list[Path], target: str, precision: str
) -> None:
    student = load_checkpoint(small_run / "student").normalised()
    with Classifier.open(bundles / f"{target}-{precision}", backend=BACKENDS[target]) as classifier:
        images = np.stack([classifier.preprocess(path) for path in test_images])
        lowered = np.stack([classifier.logits(image) for image in images])
    exact = logits_of(student, images)
    agreement = (exact.argmax(axis=1) == lowered.argmax(axis=1)).mean()
    if precision == "fp32":
        np.testing.assert_allclose(lowered, exact, atol=1e-3 * np.abs(exact).max())
        assert agreement == 1.0
    else:
        assert np.corrcoef(exact.ravel(), lowered.ravel())[0, 1] > 0.97
        assert agreement > 0.85


def test_chromium_answers_for_the_gate_of_a_page(bundles: Path) -> None:
    """It does where it is, with a built page; else the host's LiteRT."""
    there = has_chromium() and (page_module._BUILT / ENGINES).is_file()
    for precision in ("fp32", "int8"):
        with Bundle.open(bundles / f"browser-{precision}") as bundle:
            (rung,) = bundle.manifest.lowering.rungs
        assert rung.gate is not None
        assert rung.gate.runtime["engine"].startswith("litert.js") == there


@pytest.mark.parametrize("target", ["cpu", "cpu-onnx", "rpi"])
def test_int8_files_are_smaller(bundles: Path, target: str) -> None:
    with (
        Classifier.open(bundles / f"{target}-int8") as small,
        Classifier.open(bundles / f"{target}-fp32") as large,
    ):
        assert small.size_bytes < 0.6 * large.size_bytes


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_jetson_onnx_is_what_tensorrt_wants(bundles: Path, precision: str) -> None:
    assert check_onnx(bundles / f"jetson-{precision}" / "model.onnx") == []


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_tensorrt_builds_the_jetson_onnx(bundles: Path, tmp_path: Path, precision: str) -> None:
    if find_spec("tensorrt_rtx_bindings") is None:
        pytest.skip("needs the extra: pip install 'edgekd[tensorrt-check]'")
    from edgekd.lower.backends.tensorrt.builder import build_engine
    from edgekd.lower.backends.tensorrt.library import load_tensorrt_rtx

    onnx = bundles / f"jetson-{precision}" / "model.onnx"
    report = build_engine(
        onnx, tmp_path / "engine", trt=load_tensorrt_rtx(), compute_capabilities=["SM86", "SM89"]
    )
    assert report.bytes > 10_000


def test_a_jetson_bundle_says_how_it_is_finished(
    bundles: Path, capsys: pytest.CaptureFixture[str], test_images: list[Path]
) -> None:
    bundle = str(bundles / "jetson-int8")
    assert main(["predict", bundle, str(test_images[0])]) == 6
    assert "edgekd build --on-device" in capsys.readouterr().err


def test_finishing_needs_tensorrt(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = str(bundles / "jetson-int8")
    assert main(["build", "--target", "jetson", "--on-device", bundle]) == 3
    assert "TensorRT" in capsys.readouterr().err


def test_eval_takes_any_csv_for_bundles_and_checkpoints(
    bundles: Path, small_run: Path, tmp_path: Path
) -> None:
    table = labels_csv(small_run, tmp_path / "labels.csv")
    found = {}
    for name in (str(bundles / "rpi-int8"), str(small_run / "student")):
        out = tmp_path / "out.json"
        columns = ["--image-column", "image", "--label-column", "dx"]
        assert main(["eval", name, "--csv", str(table), *columns, "--json", str(out)]) == 0
        found[name] = json.loads(out.read_text())
    for result in found.values():
        (row,) = result["rows"]
        assert row["latency_ms"] is None
        assert row["memory"] is None
        assert set(row["metrics"]) >= {"accuracy", "balanced_accuracy", "macro_auroc", "ece"}
        assert row["metrics"]["per_class"]["mel"]["n"] > 0
    accuracies = [result["rows"][0]["metrics"]["accuracy"]["value"] for result in found.values()]
    assert abs(accuracies[0] - accuracies[1]) < 0.1


@pytest.mark.slow
def test_auto_takes_the_first_precision_that_passes(small_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "auto"
    arguments = ["--target", "cpu", "--model", str(small_run), "--out", str(out), "--zip"]
    arguments += ["--policy", str(lenient.POLICY)]
    assert main(["build", *arguments]) == 0
    with Classifier.open(out / "cpu.edgekd") as classifier:
        assert classifier.manifest.lowering.precision == "int8"
        assert classifier.selftest().passed
