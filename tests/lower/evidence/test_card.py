"""What the card says of the gate: the bounds, the chances, and what is taken as independent."""

from __future__ import annotations

from typing import Any

import pytest
from manifests import make_manifest

from edgekd.bundle import Certificate, GateRecord, Lowering, Manifest, Rung
from edgekd.bundle.policy import FloorRecord, PolicyRecord, PolicyWords, TeacherRecord
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


FLOORS = (
    FloorRecord(
        code="noticed", quantity="the share of MEL images in which MEL is answered or referred",
        value=0.46, low=0.35, high=0.57, least=0.9, by="value", met=False,
    ),
    FloorRecord(
        code="answered", quantity="the share of images that get an answer", value=0.8, low=0.7,
        high=0.9, least=0.5, by="low", met=True,
    ),
)  # fmt: skip


def policy_card(policy: PolicyRecord | None) -> str:
    lowering = Lowering(target="cpu", backend="onnx", precision="fp32")
    share = {"value": 0.5, "low": 0.4, "high": 0.6}
    per_class = {
        name: {"n": 10, "sensitivity": share, "specificity": share} for name in ("nv", "MEL")
    }
    return write_card(
        make_manifest(
            lowering=lowering,
            decision=Decision(fitted_on={"images": 100, "groups": 70}),
            metrics={"part": "validation", "artefact": {"per_class": per_class}},
            policy=policy,
        )
    )


def record(**changed: Any) -> PolicyRecord:
    fields: dict[str, Any] = {
        "name": "eyes", "title": "Eyes", "sha256": "0" * 64, "critical": {"MEL": 0.05},
        "words": PolicyWords(first=("mel",), group="patient", groups="patients"),
    }  # fmt: skip
    return PolicyRecord(**fields | changed)


def test_the_card_names_the_policy_and_its_floors() -> None:
    teacher = TeacherRecord(
        state="not-shown", metric="balanced_accuracy", margin=0.05, deficit=0.04, low=0.0, high=0.08
    )
    text = policy_card(record(research=True, floors=FLOORS, teacher=teacher))
    assert "## Policy: Eyes" in text
    assert "what each may lose: MEL 5 points" in text
    assert f"**for research, floor not met: {FLOORS[0].sentence}**" in text.split("## ")[0]
    assert f"- **not met**: {FLOORS[0].sentence}" in text
    assert f"- met: {FLOORS[1].sentence}" in text
    assert (
        "balanced accuracy of the teacher minus that of the file: +0.040 [+0.000, +0.080], margin "
        "0.05: not shown either way" in text
    )


def test_the_card_speaks_in_the_words_of_its_domain() -> None:
    text = policy_card(record())
    assert "of 70 patients," in text
    assert "take patients as independent" in text
    assert "lesion" not in text
    assert text.index("| MEL |") < text.index("| nv |")
    assert "of 70 lesions or patients," in policy_card(None)


def test_a_required_margin_is_a_floor() -> None:
    missing = TeacherRecord(
        state="not-measured", metric="balanced_accuracy", margin=0.05, required=True,
        reason="it is gone",
    )  # fmt: skip
    (warning,) = record(teacher=missing).warnings
    assert warning.endswith("balanced accuracy beside the teacher: not measured, it is gone")
    kept = TeacherRecord(
        state="not-inferior", metric="balanced_accuracy", margin=0.05, required=True, deficit=0.0
    )
    assert record(teacher=kept).warnings == ()


def test_a_bundle_of_an_older_edgekd_is_told_as_it_was() -> None:
    old = Lowering(target="cpu", backend="onnx", precision="fp16", rungs=LADDER)
    text = write_card(manifest(old, {"images": 100}))
    assert "verdicts were read" not in text
    assert "one-sided" not in text


def certified_card(certificate: Certificate, **changed: Any) -> str:
    chosen = Rung(
        precision="int8", chosen=True, size_bytes=1, gate=None, failure="not certified: x"
    )
    lowering = Lowering(target="cpu", backend="onnx", precision="int8", rungs=(chosen,), **changed)
    return write_card(make_manifest(lowering=lowering, metrics={}, certificate=certificate))


def test_the_card_says_where_the_evidence_was_taken() -> None:
    text = certified_card(Certificate(student="tiny", certified=True))
    assert "SHA-256 of the one that was judged where the student was made" in text
    assert "The gate saw the engine of the host that made the student" in text
    assert "painted dermoscopy" in text
    assert "**" not in text.split("## ")[0]
    assert "## Certificate" not in card()


def test_the_card_of_a_file_without_a_certificate_warns_and_says_what_to_do() -> None:
    uncertified = Certificate(
        student="tiny", certified=False, reason="x differs", remedy="edgekd build --data FILE.csv"
    )
    text = certified_card(uncertified)
    assert "**for research, not certified: x differs**" in text.split("## ")[0]
    assert "`edgekd build --data FILE.csv`" in text
    assert "| int8 |  |  |  |  |  |  | not certified: x |" in text  # and not as if it had failed


def test_the_card_of_an_engine_without_images_says_so() -> None:
    text = certified_card(
        Certificate(student="tiny", certified=True),
        completion="finish-on-device",
        completion_command="it",
    )
    assert "which this bundle was built without" in text
    assert ".evidence.npz" not in text
