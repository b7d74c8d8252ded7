"""The decision's section of a manifest belongs to the task."""

from __future__ import annotations

import json
from typing import Any

import pytest
from manifests import make_manifest

from edgekd.bundle import (
    FileEntry,
    GateRecord,
    Lowering,
    Manifest,
    Rung,
)
from edgekd.bundle.manifest import decode_manifest, encode_manifest
from edgekd.errors import ArtefactError
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


def changed(manifest: Manifest, *path: str, value: Any) -> bytes:
    raw = json.loads(encode_manifest(manifest))
    section = raw
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    return json.dumps(raw).encode()


def refusal(raw: bytes) -> ArtefactError:
    with pytest.raises(ArtefactError) as caught:
        decode_manifest(raw)
    assert caught.value.exit_code == 6
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


def test_decision_is_of_the_type_that_its_task_names(manifest: Manifest) -> None:
    read = decode_manifest(encode_manifest(manifest))
    assert isinstance(read.decision, Decision)
    without = json.loads(encode_manifest(manifest))
    without["decision"] = {}
    assert decode_manifest(json.dumps(without).encode()).decision == Decision()
    assert "decision" in refusal(changed(manifest, "decision", value=[1.5])).message


def test_task_that_is_not_installed_is_named(manifest: Manifest) -> None:
    error = refusal(changed(manifest, "task", value="ploidy"))
    assert "the task 'ploidy', which is not installed" in error.message
