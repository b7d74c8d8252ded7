"""The policy that a bundle records, and the default where it records none."""

from __future__ import annotations

import msgspec
import pytest
from manifests import make_manifest

from edgekd.bench.subjects.policy import facts_of_policy, policy_facts, policy_of_bundle
from edgekd.bundle import Certificate, HeadRecord
from edgekd.bundle.policy import FloorRecord, PolicyRecord, PolicyWords, TeacherRecord
from edgekd.policy import load_policy

HEAD = HeadRecord(weights=((1.0,),) * 3, bias=(0.0,) * 3)
WORDS = PolicyWords(first=("MEL",), group="patient", groups="patients")
FLOOR = FloorRecord(
    code="noticed", quantity="images of mel noticed", value=0.46, least=0.9, by="value", met=False
)
TEACHER = TeacherRecord(state="not-shown", metric="quadratic_kappa", margin=0.1)


def record(**changes) -> PolicyRecord:
    whole = PolicyRecord(name="mine", sha256="a", critical={"mel": 0.05}, words=WORDS)
    return msgspec.structs.replace(whole, **changes)


def test_a_bundle_of_before_policies_records_none() -> None:
    policy = policy_of_bundle(make_manifest())
    assert (policy.facts, policy.research, policy.below_floors) == (None, False, ())


def test_words_critical_classes_and_margin_are_those_of_the_bundle() -> None:
    facts = policy_of_bundle(make_manifest(policy=record(teacher=TEACHER))).facts
    assert (facts.name, facts.first, facts.groups) == ("mine", ["MEL"], "patients")
    assert facts.critical == ["mel"]
    assert (facts.metric, facts.margin) == ("quadratic_kappa", 0.1)


def test_a_bundle_that_was_not_compared_records_no_margin() -> None:
    assert policy_of_bundle(make_manifest(policy=record())).facts.margin is None


def test_floors_that_are_not_met() -> None:
    policy = policy_of_bundle(make_manifest(policy=record(research=True, floors=(FLOOR,))))
    assert policy.research
    (sentence,) = policy.below_floors
    assert "images of mel noticed is 0.460" in sentence


def test_a_policy_by_name() -> None:
    facts = policy_facts("dermoscopy", ["NV", "MEL", "BCC"])
    policy = load_policy("dermoscopy")
    assert facts == facts_of_policy(policy, ["NV", "MEL", "BCC"])
    assert facts.critical == ["MEL", "BCC"]
    assert (facts.margin, facts.sha256) == (policy.teacher.margin, policy.sha256())


def test_a_research_build_that_meets_every_floor_has_no_mark() -> None:
    policy = policy_of_bundle(make_manifest(policy=record(research=True, floors=())))
    assert not policy.research
    assert policy.below_floors == ()


@pytest.mark.parametrize(
    ("head", "mark"), [(None, "not certified: why"), (HEAD, "not certified: enrolled, why")]
)
def test_a_bundle_that_is_not_certified_is_marked_without_a_policy_too(
    head: HeadRecord | None, mark: str
) -> None:
    certificate = Certificate(student="s", certified=False, reason="why", remedy="certify")
    policy = policy_of_bundle(make_manifest(certificate=certificate, head=head))
    assert (policy.facts, policy.research, policy.below_floors) == (None, True, (mark,))
    certified = msgspec.structs.replace(certificate, certified=True)
    assert not policy_of_bundle(make_manifest(certificate=certified, head=head)).research
