"""`edgekd verify`: exit codes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from commands import refused

from edgekd import errors
from edgekd.runtime import Classifier


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
