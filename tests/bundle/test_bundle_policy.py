"""The record of a policy names the floors that are not met."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from manifests import make_manifest

from edgekd.bundle import (
    FileEntry,
    FloorRecord,
    GateRecord,
    Lowering,
    Manifest,
    PolicyRecord,
    Rung,
    TeacherRecord,
)
from edgekd.bundle.manifest import decode_manifest, encode_manifest
from edgekd.tasks.classification.manifest import Decision

FILES = {"model.onnx": FileEntry(sha256="0" * 64, size=3)}


@pytest.fixture
def manifest() -> Manifest:
    gate = GateRecord(
        passed=False,
        reasons=("7.0% of the decisions flip, more than 5.0%",),
        images=100,
        max_logit_difference=0.5,
        flips=0.07,
        balanced_accuracy=0.7,
        balanced_accuracy_drop=0.01,
        limits={"max_flips": 0.05},
        runtime={"engine": "onnxruntime 1.31", "threads": None},
    )
    rung = Rung(precision="int8", chosen=False, size_bytes=10, gate=gate)
    lowering = Lowering(target="cpu", backend="onnx", precision="fp32", rungs=(rung,))
    decision = Decision(temperature=1.5, thresholds={"mel": 0.3}, refer_below=0.4)
    return make_manifest(files=FILES, lowering=lowering, decision=decision)


def record_of(**changes: Any) -> PolicyRecord:
    floors = (
        FloorRecord(
            code="noticed", quantity="noticed of mel", value=0.46, least=0.9, by="value", met=False
        ),
        FloorRecord(
            code="answered", quantity="answered", value=0.8, least=0.5, by="value", met=True
        ),
    )
    margin = TeacherRecord(
        state="not-measured", metric="balanced_accuracy", margin=0.02, required=True, reason="lost"
    )
    return PolicyRecord(name="skin", sha256="0" * 64, floors=floors, teacher=margin, **changes)


def test_policy_names_what_is_not_met(manifest: Manifest) -> None:
    written = msgspec.structs.replace(manifest, policy=record_of(research=True))
    policy = decode_manifest(encode_manifest(written)).policy
    assert policy == written.policy
    assert policy is not None
    floor, teacher = policy.unmet()
    assert floor.startswith("noticed of mel is 0.460")
    assert teacher == "balanced accuracy beside the teacher: not measured, lost"
    margin = msgspec.structs.replace(policy.teacher, required=False)
    assert list(msgspec.structs.replace(policy, teacher=margin).unmet()) == [floor]
