"""Predictions of each kind, and the device that made them."""

from __future__ import annotations

from typing import Any

import pytest
from archives import SHA256, WARNING, PredictionMaker

from edgekd.runtime import Prediction, Reason
from edgekd.runtime.export import DeviceIdentity


@pytest.fixture
def device() -> DeviceIdentity:
    return DeviceIdentity(
        name="tiny cpu fp32", sha256=SHA256, edgekd="0.1.0", built_by="0.1.0", engine="onnx 1.32",
        intended_use="Decision support.", limits="Judged on 100 images.", warnings=(WARNING,),
    )  # fmt: skip


@pytest.fixture
def predicted() -> PredictionMaker:
    """Makes a prediction; fields by keyword take the default's place."""

    def make(**changes: Any) -> Prediction:
        fields: dict[str, Any] = {
            "label": "mel", "probability": 0.93, "probabilities": {"mel": 0.93, "nv": 0.07},
            "decision": "answer", "reasons": (), "conformal_set": ("mel", "nv"), "quality": None,
            "logits": (1.0, 0.0), "timings_ms": {},
        }  # fmt: skip
        return Prediction(**fields | changes)

    return make


@pytest.fixture
def referred(predicted: PredictionMaker) -> Prediction:
    reason = Reason("not-excluded", "mel reaches its threshold: 0.31 of 0.30")
    return predicted(decision="refer", label="nv", reasons=(reason,))


@pytest.fixture
def retaken(predicted: PredictionMaker) -> Prediction:
    return predicted(decision="retake", reasons=(Reason("dark", "the photo is too dark"),))


@pytest.fixture
def findings(predicted: PredictionMaker) -> Prediction:
    return predicted(
        label="network", probability=None, probabilities={"network": 0.9, "veil": 0.1},
        findings={"network": "present", "veil": "absent"}, conformal_set=None,
    )  # fmt: skip
