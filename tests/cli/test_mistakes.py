"""A user's mistakes: one line of what is wrong, one of what to do, the right exit code."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import lenient
import pytest

from edgekd import errors
from edgekd.cli import main
from edgekd.runtime import Classifier


def photo_of(run: Path) -> Path:
    return next(iter(sorted((run / "data" / "images").glob("*.jpg"))))


def table(folder: Path, text: str) -> str:
    file = folder / "labels.csv"
    file.write_text(text)
    return str(file)


def refused(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, *words: str
) -> None:
    capsys.readouterr()
    assert main(arguments) == code
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if line.strip()]
    problem = [line for line in lines if line.startswith("error: ")]
    assert len(problem) == 1
    assert "Traceback" not in said.err
    assert said.out == ""
    for word in words:
        assert word in said.err


def test_no_mistake_is_exit_0(bundles: Path, small_run: Path) -> None:
    assert main(["predict", str(bundles / "rpi-int8"), str(photo_of(small_run))]) == 0


def test_usage_is_exit_2() -> None:
    assert main(["predict"]) == 2
    assert main(["no-such-verb"]) == 2


def test_a_missing_image(bundles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, ["predict", str(bundles / "rpi-int8"), "none.jpg"], 2, "none.jpg")


def test_a_truncated_image(
    bundles: Path, small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.jpg"
    whole = photo_of(small_run).read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    refused(capsys, ["predict", str(bundles / "rpi-int8"), str(cut)], 2, "truncated")


def test_a_csv_without_the_column(
    bundles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    csv = table(tmp_path, "image,diagnosis\na.jpg,mel\n")
    arguments = ["eval", str(bundles / "rpi-int8"), "--csv", csv, "--label-column", "diagnosi"]
    refused(capsys, arguments, 2, "no column 'diagnosi'", "did you mean 'diagnosis'?")


def test_a_class_that_the_model_does_not_know(
    bundles: Path, small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    csv = table(tmp_path, f"image,label\n{photo_of(small_run)},scc\n")
    out = tmp_path / "out.json"
    arguments = ["eval", str(bundles / "rpi-int8"), "--csv", csv, "--json", str(out)]
    refused(capsys, arguments, 2, "'scc'", "akiec, bcc")
    assert not out.exists()


def test_a_damaged_image_in_a_csv_leaves_no_result(
    bundles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    csv = table(tmp_path, "image,label\nbroken,mel\n")
    out = tmp_path / "out.json"
    arguments = ["eval", str(bundles / "rpi-int8"), "--csv", csv, "--json", str(out)]
    refused(capsys, arguments, 2, "broken.jpg")
    assert not out.exists()


def test_a_wrong_key_in_a_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    arguments = ["distill", "demo", "--out", str(out), "--set", "student.fit.epoch=3"]
    refused(capsys, arguments, 2, "student.fit.epoch", "did you mean 'epochs'?")
    assert not out.exists()


def test_a_wrong_key_of_a_method(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["distill", "demo", "--out", str(tmp_path / "run"), "--set", "method.temprature=3"]
    refused(capsys, arguments, 2, "did you mean 'temperature'?")


def test_an_unknown_target(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--target", "rpy", "--model", str(small_run), "--out", str(tmp_path / "out")]
    refused(capsys, ["build", *arguments], 2, "did you mean 'rpi'?")


def test_a_missing_extra_is_exit_3(bundles: Path, small_run: Path, tmp_path: Path) -> None:
    block = "import sys\nsys.modules['ai_edge_litert'] = sys.modules['tflite_runtime'] = None\n"
    (tmp_path / "sitecustomize.py").write_text(block)
    done = subprocess.run(
        [sys.executable, "-m", "edgekd", "predict", bundles / "rpi-int8", photo_of(small_run)],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "pip install 'edgekd[tflite]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_gate_without_evidence_is_exit_4(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["--target", "cpu", "--model", str(small_run), "--out", str(out)]
    arguments += ["--policy", str(lenient.POLICY), "--tighten", "min_images=100000"]
    refused(capsys, ["build", *arguments, "--precision", "fp32"], 4, "fewer than 100000")
    assert not list(out.glob("cpu*"))


def test_a_damaged_bundle_is_exit_6(
    bundles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(bundles / "rpi-int8", broken)
    model = broken / "model.tflite"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    refused(capsys, ["verify", str(broken)], 6, "hash")


def test_a_checkpoint_is_no_bundle(small_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, ["verify", str(small_run / "student")], 6, "not a bundle")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InputError("wrong", "do"), 2),
        (errors.ImageError("wrong", "do"), 2),
        (errors.MissingDependencyError("thing", "extra", "work"), 3),
        (errors.GateFailedError("wrong", "do"), 4),
        (errors.DeviceUnreachableError("wrong", "do"), 5),
        (errors.ArtefactError("wrong", "do"), 6),
    ],
)
def test_every_error_ends_in_its_exit_code(
    error: errors.EdgekdError,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Classifier, "open", fail)
    refused(capsys, ["verify", str(tmp_path)], code, error.message)


def test_an_unknown_device_is_told_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(capsys, ["bench", "--device", "toaster"], 2, "'toaster'", "rpi")
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_told_before_the_wait(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    out = str(tmp_path / "file" / "out")
    arguments = ["--target", "cpu-onnx", "--model", str(small_run), "--out", out]
    assert main(["build", *arguments]) == 2
    said = capsys.readouterr().err
    assert f"cannot write {out}" in said
    assert "lowering" not in said


def test_a_precision_that_a_target_lacks_is_not_left_out_in_silence(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["--target", "cpu-onnx", "--model", str(small_run), "--out", str(out)]
    refused(capsys, ["build", *arguments, "--precision", "fp16"], 2, "no fp16 for cpu-onnx", "int8")
    assert not out.exists()


@pytest.mark.parametrize(
    "flags",
    [["--critical", "bcc=0.05,bcc=0.5"], ["--tighten", "max_flips=0", "--tighten", "max_flips=1"]],
)
def test_of_two_limits_of_one_name_none_holds_in_silence(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["--target", "cpu-onnx", "--model", str(small_run), "--out", str(out), *flags]
    refused(capsys, ["build", *arguments], 2, "is given two limits", "give one")
    assert not out.exists()


def test_help_says_what_critical_none_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused where the target names one of the model's classes; see test_build.py."""
    assert main(["build", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "it drops no limit of the target's" in said
