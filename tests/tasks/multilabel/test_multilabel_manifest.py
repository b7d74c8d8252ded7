from __future__ import annotations

import json
from typing import Any

import pytest
from manifests import make_manifest

from edgekd.bundle import FileEntry, Manifest
from edgekd.bundle.manifest import decode_manifest, encode_manifest
from edgekd.errors import ArtefactError
from edgekd.tasks.multilabel.manifest import PRESENT_FROM, Decision

FILES = {"model.onnx": FileEntry(sha256="0" * 64, size=3)}


def manifest_of(**decision: Any) -> Manifest:
    return make_manifest(task="multilabel", decision=Decision(**decision), files=FILES)


def test_round_trip_gives_the_struct_of_the_task() -> None:
    written = manifest_of(
        temperature=1.3, present_from={"mel": 0.6}, absent_below={"mel": 0.2}, critical=("mel",),
        threshold_sensitivity=0.95, refer_coverage=0.9, energy_threshold=-0.1, energy_kept=0.99,
        fitted_on={"images": 100},
    )  # fmt: skip
    read = decode_manifest(encode_manifest(written))
    assert read == written
    assert isinstance(read.decision, Decision)


def test_limits_of_a_finding_without_its_own() -> None:
    decision = Decision(present_from={"mel": 0.7}, absent_below={"nv": 0.2})
    assert decision.limits_of("mel") == (0.7, 0.7)
    assert decision.limits_of("nv") == (0.2, PRESENT_FROM)
    assert decision.limits_of("bkl") == (PRESENT_FROM, PRESENT_FROM)


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        ({"temperature": 0.0}, "temperature must lie"),
        ({"present_from": {"mole": 0.5}}, "'mole' of the decision is no finding"),
        ({"absent_below": {"mole": 0.5}}, "'mole' of the decision is no finding"),
        ({"critical": ["mole"]}, "'mole' of the decision is no finding"),
        ({"present_from": {"mel": 1.1}}, "thresholds of 'mel'"),
        ({"present_from": {"mel": -0.1}}, "thresholds of 'mel'"),
        ({"absent_below": {"mel": 0.6}}, "thresholds of 'mel'"),
        ({"present_from": {"mel": 0.3}, "absent_below": {"mel": 0.4}}, "thresholds of 'mel'"),
        ({"present_from": {"x" * 5000: 0.3}}, "no finding"),
    ],
)
def test_contradiction_is_refused(decision: dict[str, Any], message: str) -> None:
    document = json.loads(encode_manifest(manifest_of()))
    document["decision"] |= decision
    with pytest.raises(ArtefactError, match="contradicts itself") as caught:
        decode_manifest(json.dumps(document).encode())
    assert message in caught.value.message
    assert len(caught.value.message) < 300


def test_one_finding_alone_is_enough() -> None:
    model = make_manifest().model
    single = make_manifest(
        task="multilabel",
        decision=Decision(),
        files=FILES,
        model=type(model)(name="tiny", classes=("streaks",), image_size=16),
    )
    assert decode_manifest(encode_manifest(single)).model.classes == ("streaks",)
