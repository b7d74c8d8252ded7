"""What the card says of the gate: the bounds, the chances, and what is taken as independent."""

from __future__ import annotations

from typing import Any

import pytest
from manifests import make_manifest

from edgekd.bundle import GateRecord, Lowering, Manifest, Rung
from edgekd.lower.evidence.card import write_card
from edgekd.lower.evidence.ladder import tried
from edgekd.tasks.classification.manifest import Decision

GATE = GateRecord(
    passed=True, reasons=(), images=100, max_logit_difference=0.1, flips=0.01,
    balanced_accuracy=0.8, balanced_accuracy_drop=0.01, balanced_accuracy_drop_high=0.02,
    limits={"max_flips": 0.03}, runtime={},
)  # fmt: skip


def rung(precision: str, *, chosen: bool = False, gate: GateRecord | None = GATE) -> Rung:
    return Rung(precision=precision, chosen=chosen, size_bytes=1, gate=gate)


LADDER = (
    rung("int8"),
    rung("int8-mixed", gate=None),
    rung("int8-mixed"),
    rung("fp16", chosen=True),
    rung("fp32"),
)


def card(rungs: tuple[Rung, ...] = LADDER, **fitted_on: Any) -> str:
    lowering = Lowering(
        target="cpu", backend="onnx", precision="fp16", rungs=rungs, tried=tried(rungs)
    )
    return write_card(manifest(lowering, fitted_on))


def manifest(lowering: Lowering, fitted_on: dict[str, Any]) -> Manifest:
    return make_manifest(
        lowering=lowering, decision=Decision(fitted_on=fitted_on), metrics={"part": "validation"}
    )


def test_files_without_a_verdict_and_those_after_the_taken_one_were_no_chances() -> None:
    assert tried(LADDER) == 3
    assert tried((rung("int8", chosen=True), rung("fp32"))) == 1
    assert tried((rung("int8"), rung("fp32"))) == 2


def test_the_card_counts_the_chances() -> None:
    text = card()
    assert "3 verdicts were read" in text
    assert "of 3 files that lose what a limit allows, one passes in up to 3 times 5 %" in text
    assert "one verdict was read" in card((rung("int8", chosen=True), rung("fp32")))


def test_the_card_names_the_bound() -> None:
    assert "one-sided 95 % bound" in card()
    assert "+0.010 (0.020)" in card()


@pytest.mark.parametrize(
    ("fitted_on", "said"),
    [
        ({"images": 100, "groups": 70}, "take lesions or patients as independent"),
        ({"images": 100, "groups": 100}, "Every image stands alone in the data set"),
        ({"images": 100}, "Images are taken as independent"),
    ],
)
def test_the_card_says_what_is_independent(fitted_on: dict[str, Any], said: str) -> None:
    text = card(**fitted_on)
    assert said in text
    assert ("of 70 lesions or patients" in text) == (fitted_on.get("groups") == 70)


def test_a_bundle_of_an_older_edgekd_is_told_as_it_was() -> None:
    old = Lowering(target="cpu", backend="onnx", precision="fp16", rungs=LADDER)
    text = write_card(manifest(old, {"images": 100}))
    assert "verdicts were read" not in text
    assert "one-sided" not in text
