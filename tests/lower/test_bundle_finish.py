"""`edgekd build --on-device`: by the bundle's own backend and target, whichever they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import third_party
from manifests import make_manifest

from edgekd.bundle import Lowering, write_bundle
from edgekd.cli import main


@pytest.fixture(autouse=True)
def backends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    third_party.install(tmp_path / "third-party", monkeypatch)


def bundle_of(backend: str, folder: Path) -> str:
    lowering = Lowering(target="their-board", backend=backend, precision="fp32")
    write_bundle(folder, make_manifest(lowering=lowering), {"model.onnx": b"model"})
    return str(folder)


@pytest.mark.parametrize("target", [[], ["--target", "their-board"]])
def test_bundle_of_a_third_party_is_finished_by_its_own_backend(
    target: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = bundle_of("finishing", tmp_path / "bundle")
    evidence = tmp_path / "e.npz"
    evidence.touch()
    assert main(["build", *target, "--on-device", bundle, "--evidence", str(evidence)]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said == [f"finishing bundle by {evidence}", f"finished {bundle}/manifest.json"]


def test_bundle_of_another_target_is_not_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = bundle_of("finishing", tmp_path / "bundle")
    assert main(["build", "--target", "jetson", "--on-device", bundle]) == 2
    assert "is for their-board, not for jetson" in capsys.readouterr().err


def test_bundle_that_is_complete_as_it_was_lowered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "--on-device", bundle_of("sound", tmp_path / "bundle")]) == 2
    assert "is of sound; nothing of it is built on a device" in capsys.readouterr().err


def test_target_is_asked_for_where_there_is_no_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "--model", str(tmp_path), "--out", str(tmp_path / "bundles")]) == 2
    assert "--target, --model and --out are needed" in capsys.readouterr().err
