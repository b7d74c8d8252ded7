"""Which policy a build follows, and what makes its bundles other ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import lenient
import msgspec
import pytest

from edgekd.errors import ArtefactError, InputError
from edgekd.lower.plan import BuildRequest, plans_of, policy_of
from edgekd.lower.source import Source
from edgekd.lower.teacher import Teacher
from edgekd.policy import load_policy
from edgekd.targets import load_target

REQUEST = BuildRequest(Path("run"), [load_target("cpu-onnx")], Path("out"), precisions=("fp32",))


@dataclass
class Card:
    """The part of a checkpoint's card that a plan reads."""

    classes: tuple[str, ...]
    policy: dict[str, Any] | None
    task: str = "classification"


def source(
    policy: dict[str, Any] | None = None,
    classes: tuple[str, ...] = ("MEL", "nv"),
    labels: str = "of-labels",
) -> Source:
    card, data = Card(classes, policy), {"sha256": labels}
    return cast(Source, SimpleNamespace(card=card, data=data, images_sha256="of-images"))


def test_an_old_checkpoint_follows_dermoscopy() -> None:
    assert policy_of(REQUEST, source()).name == "dermoscopy"


def test_a_checkpoint_remembers_its_policy() -> None:
    fundus = load_policy("fundus")
    remembered = policy_of(REQUEST, source(fundus.values(), ("3", "4")))
    assert remembered == fundus


def test_a_damaged_policy_of_a_checkpoint_is_no_excuse() -> None:
    with pytest.raises(ArtefactError, match="the checkpoint's policy is damaged"):
        policy_of(REQUEST, source({"name": "mine"}))


@pytest.mark.parametrize("policy", ["none", str(lenient.POLICY), load_policy("none")])
def test_the_request_names_another(policy: Any) -> None:
    found = policy_of(replace(REQUEST, policy=policy), source(load_policy("fundus").values()))
    assert found.name in ("none", "lenient")


def test_the_request_makes_limits_stricter_and_never_looser() -> None:
    strict = replace(REQUEST, tighten={"max_flips": 0.0, "noticed": 0.95}, critical={"nv": 0.1})
    policy = policy_of(strict, source())
    assert (policy.gate.max_flips, policy.floors.noticed) == (0.0, 0.95)
    assert policy.critical_of(("MEL", "nv")) == {"MEL": 0.05, "nv": 0.1}
    with pytest.raises(InputError, match=r"answered=0\.1 is looser than the policy's 0\.5"):
        policy_of(replace(REQUEST, tighten={"answered": 0.1}), source())


def test_critical_classes_must_be_the_models() -> None:
    with pytest.raises(InputError, match="the policy dermoscopy names none of the classes 0, 1"):
        policy_of(REQUEST, source(classes=("0", "1")))
    assert policy_of(replace(REQUEST, critical={}), source(classes=("0", "1"))).critical
    with pytest.raises(InputError, match="`none` would drop the limit of the policy dermoscopy"):
        policy_of(replace(REQUEST, critical={}), source())
    with pytest.raises(InputError, match="the model has no class 'grade'"):
        policy_of(replace(REQUEST, critical={"grade": 0.1}), source())
    # A policy without critical classes demands none.
    assert policy_of(replace(REQUEST, policy="none"), source(classes=("0", "1"))).critical == {}


def test_what_a_bundle_is_made_from_is_in_its_key() -> None:
    policy, teacher = load_policy("none"), Teacher(None, "gone")

    def key(
        request: BuildRequest = REQUEST,
        policy: Any = policy,
        teacher: Teacher = teacher,
        labels: str = "of-labels",
    ) -> str:
        (plan,) = plans_of(request, source(labels=labels), policy, teacher, None)
        return plan.key

    assert key() == key(teacher=Teacher(None, "another reason"))
    others = {
        key(labels="of other labels of the same images"),
        key(replace(REQUEST, research=True)),
        key(policy=policy.tightened({"answered": 0.6})),
        key(policy=msgspec.structs.replace(policy, title="Another title")),
        key(teacher=Teacher(Path("teacher"), sha256="of-teacher")),
    }
    assert len(others) == 5
    assert key() not in others


def test_what_a_jetson_builds_via_is_in_the_plan_and_its_key() -> None:
    policy, teacher = load_policy("none"), Teacher(None, "gone")
    jetson = replace(REQUEST, targets=[load_target("jetson")])
    (usual,) = plans_of(jetson, source(), policy, teacher, None)
    (other,) = plans_of(replace(jetson, via="torch-tensorrt"), source(), policy, teacher, None)
    assert (usual.via, other.via) == (None, "torch-tensorrt")
    assert usual.key != other.key
    with pytest.raises(InputError, match="ONNX Runtime builds nothing via 'torch-tensorrt'"):
        plans_of(replace(REQUEST, via="torch-tensorrt"), source(), policy, teacher, None)
