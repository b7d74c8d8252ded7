"""The bundle's own files: which one is the float student, and what each answers."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from certifying import lowered_weights, write_uncertified
from manifests import make_manifest
from tiny_bundles import MEANS

from edgekd.bundle import Bundle, EngineRecord, GateRecord, pack_bundle
from edgekd.errors import ArtefactError, InputError
from edgekd.lower.certify.files import check_runs_here, float_reference, model_file, run_file


def photos() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (5, 16, 16, 3)).astype(np.uint8)


def test_each_file_answers_by_its_own_weights(bundle: Path) -> None:
    images, steps = photos(), []
    with Bundle.open(bundle) as opened:
        reference, model = float_reference(opened), model_file(opened)
        student = run_file(reference, images, steps.append)
        lowered = run_file(model, images, steps.append)
    means = images.mean(axis=(1, 2))
    np.testing.assert_allclose(student.outputs, means @ MEANS, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(lowered.outputs, means @ lowered_weights(), rtol=1e-4, atol=1e-4)
    assert steps == [1] * 10
    assert lowered.latency_ms > 0
    assert (reference.is_model, model.is_model) == (False, True)
    assert reference.sha256 != model.sha256


def test_a_file_in_fp32_is_its_own_float_student(tmp_path: Path) -> None:
    with Bundle.open(write_uncertified(tmp_path / "b", precision="fp32")) as opened:
        reference = float_reference(opened)
        assert reference.is_model
        assert reference.sha256 == model_file(opened).sha256


def test_without_a_float_student_the_user_learns_how_to_get_one(tmp_path: Path) -> None:
    with (
        Bundle.open(write_uncertified(tmp_path / "b", reference=None)) as opened,
        pytest.raises(InputError, match="has no float student to compare its int8") as caught,
    ):
        float_reference(opened)
    assert "--research" in caught.value.hint
    assert "--precision fp32" in caught.value.hint


def test_the_bundle_of_an_app_has_left_it_behind(bundle: Path, tmp_path: Path) -> None:
    with Bundle.open(bundle) as opened:
        pack_bundle(opened, tmp_path / "app.edgekd")
    with (
        Bundle.open(tmp_path / "app.edgekd") as opened,
        pytest.raises(InputError, match="has no float student") as caught,
    ):
        float_reference(opened)
    assert "an app's bundle goes without it" in caught.value.hint


def test_an_engine_that_a_device_built_is_certified_before_it_is_built(tmp_path: Path) -> None:
    gate = GateRecord(
        passed=True, reasons=(), images=1, max_logit_difference=0.0, flips=0.0, limits={},
        runtime={},
    )  # fmt: skip
    engine = EngineRecord(
        built_for={}, seconds=1.0, size_bytes=1, latency_ms=1.0, selftest_difference=0.0, gate=gate
    )
    lowering = msgspec.structs.replace(make_manifest().lowering, engine=engine)
    with (
        Bundle.open(write_uncertified(tmp_path / "b", lowering=lowering)) as opened,
        pytest.raises(InputError, match="an engine that a device has built"),
    ):
        model_file(opened)


def test_an_engine_that_answers_otherwise_here_is_found_out(tmp_path: Path) -> None:
    check_runs_here(write_uncertified(tmp_path / "good"), "onnx")
    with pytest.raises(ArtefactError, match="self-test"):
        check_runs_here(write_uncertified(tmp_path / "wrong", wrong_by=1.0), "onnx")
