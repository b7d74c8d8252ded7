"""The clinical policy that a result refers to: margin, critical classes and words of the domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from edgekd.bench.result import PolicyFacts
from edgekd.policy import Policy, load_policy

if TYPE_CHECKING:
    from edgekd.bundle import Manifest

__all__ = [
    "NOT_CERTIFIED",
    "BundlePolicy",
    "facts_of_policy",
    "policy_facts",
    "policy_of_bundle",
]

NOT_CERTIFIED = "not certified: "
"""Start of the sentence of a bundle that is not certified."""


@dataclass(frozen=True)
class BundlePolicy:
    """What a bundle records of its policy.

    Attributes:
        facts: The policy; None where the bundle records none, as one that was enrolled, or of
            an older format.
        research: Whether the bundle was built although it is below a floor, or not certified.
        below_floors: One sentence for each cause.
    """

    facts: PolicyFacts | None = None
    research: bool = False
    below_floors: tuple[str, ...] = ()


def policy_facts(name_or_path: str, classes: Sequence[str]) -> PolicyFacts:
    """The facts of a policy by its name or file; see `load_policy` for errors."""
    return facts_of_policy(load_policy(name_or_path), classes)


def facts_of_policy(policy: Policy, classes: Sequence[str]) -> PolicyFacts:
    """The part of a policy that a report needs, for data with these classes."""
    return PolicyFacts(
        name=policy.name,
        sha256=policy.sha256(),
        critical=list(policy.critical_of(classes)),
        first=list(policy.words.first),
        group=policy.words.group,
        groups=policy.words.groups,
        metric=policy.teacher.metric,
        margin=policy.teacher.margin,
        required=policy.teacher.required,
    )


def policy_of_bundle(manifest: Manifest) -> BundlePolicy:
    """The policy that a bundle's manifest records."""
    record, certificate = manifest.policy, manifest.certificate
    uncertified = certificate is not None and not certificate.certified
    enrolled = "" if manifest.head is None else "enrolled, "
    causes = (
        (f"{NOT_CERTIFIED}{enrolled}{certificate.reason}",) if certificate and uncertified else ()
    )
    if record is None:
        return BundlePolicy(research=bool(causes), below_floors=causes)
    facts = PolicyFacts(
        name=record.name,
        sha256=record.sha256,
        critical=list(record.critical),
        first=list(record.words.first),
        group=record.words.group,
        groups=record.words.groups,
    )
    if record.teacher is not None:
        facts = msgspec.structs.replace(
            facts,
            metric=record.teacher.metric,
            margin=record.teacher.margin,
            required=record.teacher.required,
        )
    causes = (*causes, *record.unmet())
    return BundlePolicy(facts, bool(causes), causes)
