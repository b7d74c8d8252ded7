from __future__ import annotations

import json

import msgspec

from edgekd.runtime import CaptureQuality, Measures, Prediction, Reason


def test_plain_types_are_ready_for_json() -> None:
    measures = Measures(sharpness=2.0, brightness=0.6, glare=0.0, contrast=40.0, off_centre=0.1)
    prediction = Prediction(
        label="network;veil",
        probability=None,
        probabilities={"network": 0.9, "veil": float("nan")},
        decision="refer",
        reasons=(Reason("unsure", "the probability is low"),),
        conformal_set=None,
        quality=CaptureQuality(measures, 3.5),
        logits=(2.0, -1.0),
        timings_ms={"model": 1.5},
        findings={"network": "present", "veil": "unsure"},
        values={"depth": 3.4},
    )
    plain = json.loads(msgspec.json.encode(prediction.to_dict()))
    assert plain["findings"] == {"network": "present", "veil": "unsure"}
    assert plain["values"] == {"depth": 3.4}
    assert plain["reasons"] == [{"code": "unsure", "text": "the probability is low"}]
    assert plain["probability"] is None
    assert plain["probabilities"] == {"network": 0.9, "veil": None}  # NaN is no JSON
    assert plain["quality"]["measures"]["contrast"] == 40.0


def test_findings_and_values_are_empty_unless_given() -> None:
    prediction = Prediction(
        label="mel", probability=0.9, probabilities={"mel": 0.9}, decision="answer", reasons=(),
        conformal_set=None, quality=None, logits=(1.0,), timings_ms={},
    )  # fmt: skip
    assert (prediction.findings, prediction.values) == ({}, {})
