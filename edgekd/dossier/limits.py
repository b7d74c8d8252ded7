"""The limits of a bundle in plain words, made from its numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgekd.bundle.policy import words_of
from edgekd.dossier.facts import DossierFacts
from edgekd.lower.evidence.data_table import markdown_cell

__all__ = ["limit_lines"]

_FEW = 30
"""Fewer images of a class or subgroup say little: the 95 % interval of a share of 90 % among 30
images is more than 20 points wide."""


def limit_lines(facts: DossierFacts) -> Iterator[str]:
    """One item of a list for each limit."""
    policy = facts.manifest.policy
    for warning in policy.unmet() if policy else ():
        yield f"- **A floor of the policy is not met:** {markdown_cell(warning)}."
    if policy is not None and policy.research:
        yield "- Built for research, in spite of floors that are not met: not for patients."
    yield from _of_classes(facts)
    yield from _of_attributes(facts)
    if facts.external is None:
        yield "- No figure is of images from another hospital: nothing is known of yours."


def _of_classes(facts: DossierFacts) -> Iterator[str]:
    manifest = facts.manifest
    per_class = (manifest.metrics.get("artefact") or {}).get("per_class") or {}
    critical = manifest.policy.critical if manifest.policy else {}
    for name in words_of(manifest.policy).ordered(tuple(per_class)):
        images, share = per_class[name].get("n", 0), per_class[name].get("sensitivity")
        if name in critical:
            yield f"- {markdown_cell(name)} is critical. {_sensitivity(share, images)}"
        elif images < _FEW:
            yield f"- {markdown_cell(name)}: {_sensitivity(share, images)}"


def _sensitivity(share: Mapping[str, Any] | None, images: int) -> str:
    if share is None or share.get("value") is None:
        return "Its sensitivity was not measured: there was no image of it."
    text = f"Of {images:,} validation images {share['value']:.1%} are named right"
    if share.get("low") is None:
        return f"{text}; how far that holds for others is not known."
    few = ", too few to rely on" if images < _FEW else ""
    return f"{text}{few}; of others it may be as few as {share['low']:.1%} (95 % interval)."


def _of_attributes(facts: DossierFacts) -> Iterator[str]:
    """Values of which there are few training images."""
    data = facts.manifest.data
    train = data.parts.get("train") if data else None
    if train is None:
        return
    for name in facts.of_people:
        rare = [
            f"{markdown_cell(value)} ({count:,})"
            for value, count in train.attributes.get(name, {}).items()
            if count < _FEW
        ]
        if rare:
            yield f"- Hardly learnt from: {markdown_cell(name)} {', '.join(rare)} training images."
