"""What `edgekd build` leaves beside a bundle for the board, and what the board makes of it."""

from __future__ import annotations

import hashlib
import shutil
from importlib.util import find_spec
from pathlib import Path

import lenient
import numpy as np
import pytest

from edgekd.bundle import Bundle, Manifest
from edgekd.cli import main

pytest.importorskip("onnx")

from engine_standin import RTX, install

from edgekd.lower.backends.tensorrt.finish import finish_on_device
from edgekd.lower.evidence.device_gate import evidence_beside, read_evidence


def manifest_of(bundle: Path) -> Manifest:
    with Bundle.open(bundle) as opened:
        return opened.manifest


def test_evidence_lies_beside_the_bundle_and_never_inside(bundles: Path) -> None:
    for precision in ("fp32", "int8"):
        bundle = bundles / f"jetson-{precision}"
        file = bundles / f"jetson-{precision}.evidence.npz"
        lowering = manifest_of(bundle).lowering
        assert lowering.evidence_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
        assert not list(bundle.glob("*evidence*"))
        assert "delete that file when the engine is built" in (bundle / "card.md").read_text()
    names = {file.name for file in bundles.glob("*.evidence.npz")}
    assert names == {"jetson-fp32.evidence.npz", "jetson-int8.evidence.npz"}
    assert manifest_of(bundles / "cpu-fp32").lowering.evidence_sha256 is None


def test_evidence_judges_as_the_host_did(bundles: Path, tmp_path: Path) -> None:
    """The same answers give the same record, whichever side judges."""
    from edgekd.runtime.sessions import open_session

    bundle = bundles / "jetson-int8"
    lowering = manifest_of(bundle).lowering
    evidence = read_evidence(evidence_beside(bundle), lowering.evidence_sha256, tmp_path)
    assert evidence.terms.exact is False
    session = open_session("onnx", bundle / "model.onnx", threads=1)
    logits = np.concatenate([session.run(image[None]) for image in evidence.images])
    session.close()
    (host,) = [rung.gate for rung in lowering.rungs if rung.chosen]
    assert host is not None
    assert evidence.judge(logits, host.runtime) == host


@pytest.mark.skipif(
    find_spec("tensorrt_rtx_bindings") is None,
    reason="needs the extra: pip install 'edgekd[tensorrt-check]'",
)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_board_finishes_what_the_host_built(
    bundles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    name = f"jetson-{precision}"
    board = tmp_path / "board" / name
    shutil.copytree(bundles / name, board)
    shutil.copyfile(bundles / f"{name}.evidence.npz", evidence_beside(board))
    install(tmp_path / "standin", board / "model.onnx", monkeypatch)
    host = manifest_of(board)
    finish_on_device(board, toolchain=RTX)
    done = manifest_of(board)
    assert done.lowering.engine is not None
    assert done.lowering.engine.gate.per_class.keys() == set(host.model.classes)
    assert done.lowering.rungs == host.lowering.rungs
    # The same file answered, so that what is fitted to the answers is the same.
    assert done.decision == host.decision
    assert done.metrics == host.metrics


def test_a_build_whose_evidence_is_gone_writes_it_again(
    bundles: Path, small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["build", "--target", "jetson", "--model", str(small_run), "--precision", "fp32"]
    command += ["--out", str(tmp_path / "out"), "--policy", str(lenient.POLICY)]
    evidence = tmp_path / "out" / "jetson-fp32.evidence.npz"
    assert main(command) == 0
    assert f"copy {evidence} to the board" in capsys.readouterr().err
    first, manifest = evidence.read_bytes(), manifest_of(tmp_path / "out" / "jetson-fp32")
    evidence.unlink()
    assert main(command) == 0
    assert evidence.read_bytes() == first
    assert manifest_of(tmp_path / "out" / "jetson-fp32") == manifest
