"""Predictions among the vectors."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from edgekd.conformance import Vectors
from edgekd.conformance.predictions import usable_backends

pytestmark = pytest.mark.skipif(
    find_spec("onnxruntime") is None or find_spec("ai_edge_litert") is None,
    reason="needs pip install 'edgekd[onnx,tflite]'",
)


def test_both_engines_in_float_and_in_int8(vectors: Vectors) -> None:
    assert {backend.name for backend in usable_backends()} == {"onnx", "tflite"}
    assert {case.bundle for case in vectors.predictions} == {
        f"predicted/{precision}-{backend}{head}.edgekd"
        for precision in ("fp32", "int8")
        for backend in ("onnx", "tflite")
        for head in ("", "-enrolled")
    }
    exact = {case.bundle for case in vectors.predictions if case.logits_tolerance == 0}
    assert exact == {"predicted/int8-onnx.edgekd", "predicted/int8-tflite.edgekd"}


def test_every_decision_occurs(vectors: Vectors) -> None:
    assert {case.decision for case in vectors.predictions} == {"answer", "refer", "retake"}


def test_a_turned_photo_has_another_answer_than_the_same_upright(vectors: Vectors) -> None:
    by_id = {case.id: case.logits for case in vectors.predictions}
    assert by_id["fp32-onnx-turned.jpg"] != by_id["fp32-onnx-photo-1.jpg"]
