"""Results of a build, and how its bundles are written."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from manifests import make_manifest

from edgekd.bundle import Bundle
from edgekd.bundle.seen_images import SeenImages
from edgekd.errors import ArtefactError, EdgekdError, GateFailedError, InputError
from edgekd.lower.attempt import Measured
from edgekd.lower.built import BuiltBundle, bundle_files, held_alone, worst_of, write_built
from edgekd.lower.ladder_run import RefusedError
from edgekd.runtime.selftest import Vectors


def failed(error: EdgekdError | None) -> BuiltBundle:
    return BuiltBundle("cpu", "cpu", None, None, (), error)


def test_a_failed_gate_comes_before_any_other_error() -> None:
    wrong, gate = InputError("no target"), GateFailedError("mel may be lost")
    assert worst_of([failed(None)]) is None
    assert worst_of([failed(wrong), failed(gate)]) is gate
    assert worst_of([failed(ArtefactError("cut")), failed(wrong)]) is not wrong
    both = worst_of([failed(gate), failed(GateFailedError("bcc may be lost"))])
    assert isinstance(both, GateFailedError)
    assert both.message == "mel may be lost; bcc may be lost"


def test_why_there_is_no_bundle() -> None:
    assert failed(None).refused == ()
    assert failed(InputError("no target")).refused == ("no target",)
    assert failed(RefusedError("cpu", ["a", "b"])).refused == ("a", "b")


def test_the_files_of_a_bundle(tmp_path: Path) -> None:
    """The card always, the program where there is one, the list of images unless left out."""
    model = {"model.onnx": tmp_path / "model.onnx"}
    measured = cast(Measured, SimpleNamespace(files=lambda: dict(model)))
    manifest = make_manifest(metrics={})
    assert set(bundle_files(measured, manifest)) == {"model.onnx", "card.md"}
    seen, program = SeenImages(key="split"), {"model.pt2": tmp_path / "model.pt2"}
    files = bundle_files(measured, manifest, program, seen)
    assert set(files) == {"model.onnx", "card.md", "model.pt2", "seen-images.json"}
    assert files["seen-images.json"] == seen.encode()


@pytest.mark.parametrize("zipped", [False, True])
def test_a_bundle_is_written_with_its_vectors(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / ("cpu.edgekd" if zipped else "cpu")
    vectors = Vectors(np.zeros((2, 16, 16, 3), np.uint8), np.zeros((2, 3), np.float32), 0.1)
    manifest = write_built(path, make_manifest(), {"model.onnx": b"model"}, vectors, zipped=zipped)
    with Bundle.open(path) as bundle:
        assert bundle.manifest == manifest
        assert set(bundle.manifest.files) == {"model.onnx", "selftest.npz"}


def test_bundles_have_one_writer_and_are_released_together(tmp_path: Path) -> None:
    first, second = tmp_path / "cpu", tmp_path / "rpi"
    with held_alone([first]):
        with pytest.raises(InputError, match="already"), held_alone([second, first]):
            pass
        with held_alone([second]):  # released, although the other one was not to be had
            pass
