"""Mistakes with `edgekd build`."""

from __future__ import annotations

from pathlib import Path

import lenient
import pytest
from commands import refused

from edgekd.cli import main


def test_an_unknown_target(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--target", "rpy", "--model", str(small_run), "--out", str(tmp_path / "out")]
    refused(capsys, ["build", *arguments], 2, "did you mean 'rpi'?")


def test_a_gate_without_evidence_is_exit_4(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["--target", "cpu", "--model", str(small_run), "--out", str(out)]
    arguments += ["--policy", str(lenient.POLICY), "--tighten", "min_images=100000"]
    refused(capsys, ["build", *arguments, "--precision", "fp32"], 4, "fewer than 100000")
    assert not list(out.glob("cpu*"))


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
    "flags", [["--policy", "none"], ["--research"], ["--tighten", "max_flips=0"]]
)
def test_the_policy_of_a_bundle_is_not_changed_on_its_device(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    command = ["build", "--on-device", str(tmp_path), *flags]
    refused(capsys, command, 2, "keeps the policy that it was built by")


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
    """It is refused where the policy names one of the model's classes; see test_build.py."""
    assert main(["build", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "it drops no limit of the policy's" in said
