"""Shares of each subgroup, and the gaps between subgroups that the images show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekd.evaluation.answers import ModelAnswers
from edgekd.evaluation.document import AttributeShares, GapFacts, Measure, Share, SubgroupShares
from edgekd.evaluation.outcomes import estimate_of, share_of
from edgekd.evaluation.subgroups import Attribute
from edgekd.metrics.gaps import SubgroupShare, largest_gap, share_of_subgroup
from edgekd.metrics.resampling import Groups

__all__ = ["Gaps", "attribute_shares", "gaps_of"]

_Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Gaps:
    """The gaps of one model.

    Attributes:
        largest: The most certain gap of each attribute and measure, the most certain one first.
        comparisons: Number of pairs that the intervals hold for together.
    """

    largest: list[GapFacts]
    comparisons: int


@dataclass(frozen=True)
class _Family:
    """The subgroups of one attribute by one measure: which images count, and which are flagged."""

    attribute: Attribute
    measure: Measure
    member: str | None
    among: _Flags
    flags: _Flags


def attribute_shares(
    answers: ModelAnswers, attribute: Attribute, classes: Sequence[str]
) -> AttributeShares:
    """The shares of each subgroup, with intervals over lesions or patients where known."""
    subgroups = [
        _subgroup_shares(answers, name, attribute.members(index), classes)
        for index, name in enumerate(attribute.subgroups)
    ]
    return AttributeShares(name=attribute.name, rule=attribute.rule, subgroups=subgroups)


def _subgroup_shares(
    answers: ModelAnswers, name: str, members: _Flags, classes: Sequence[str]
) -> SubgroupShares:
    groups = _groups_of(answers, members)
    return SubgroupShares(
        name=name,
        images=int(members.sum()),
        groups=None if groups is None else len(np.unique(groups)),
        sensitivity={
            each: _share(answers, answers.named[:, index], members & answers.shown[:, index])
            for index, each in enumerate(classes)
            if (members & answers.shown[:, index]).any()
        },
        not_answered=_share(answers, ~answers.answered, members),
    )


def gaps_of(answers: ModelAnswers, attributes: Sequence[Attribute], classes: Sequence[str]) -> Gaps:
    """The gaps between the subgroups of each attribute.

    Compared are the sensitivity for each class and, of a bundle, the share without an answer; see
    `edgekd.metrics.gaps` for the intervals. Lesions or patients are the independent units.
    """
    families = list(_families(answers, attributes, classes))
    shares = [_shares_of(answers, family) for family in families]
    largest = [
        gap
        for family, subgroups in zip(families, shares, strict=True)
        if (gap := _gap(answers, family, subgroups, len(families))) is not None
    ]
    largest.sort(key=lambda gap: (-(gap.difference.low or 0.0), -(gap.difference.value or 0.0)))
    return Gaps(largest, sum(len(each) * (len(each) - 1) // 2 for each in shares))


def _families(
    answers: ModelAnswers, attributes: Sequence[Attribute], classes: Sequence[str]
) -> Iterator[_Family]:
    """Attributes and measures with at least two subgroups that have images."""
    everywhere = np.ones(len(answers.right), np.bool_)
    for attribute in attributes:
        for index, name in enumerate(classes):
            shown, named = answers.shown[:, index], answers.named[:, index]
            if len(np.unique(attribute.codes[shown])) > 1:
                yield _Family(attribute, "sensitivity", name, shown, named)
        if answers.decides and len(attribute.subgroups) > 1:
            yield _Family(attribute, "not answered", None, everywhere, ~answers.answered)


def _shares_of(answers: ModelAnswers, family: _Family) -> list[SubgroupShare]:
    attribute, shares = family.attribute, []
    for index, name in enumerate(attribute.subgroups):
        chosen = attribute.members(index) & family.among
        if chosen.any():
            groups = _groups_of(answers, chosen)
            shares.append(share_of_subgroup(name, family.flags[chosen], groups))
    return shares


def _gap(
    answers: ModelAnswers, family: _Family, shares: Sequence[SubgroupShare], families: int
) -> GapFacts | None:
    gap = largest_gap(shares, families)
    if gap is None:
        return None

    def share(name: str) -> Share:
        members = family.attribute.members(family.attribute.subgroups.index(name))
        return _share(answers, family.flags, members & family.among)

    return GapFacts(
        attribute=family.attribute.name,
        measure=family.measure,
        member=family.member,
        lower=gap.lower.name,
        higher=gap.higher.name,
        lower_share=share(gap.lower.name),
        higher_share=share(gap.higher.name),
        difference=estimate_of(gap.difference),
    )


def _share(answers: ModelAnswers, flags: _Flags, among: _Flags) -> Share:
    return share_of(flags[among], _groups_of(answers, among))


def _groups_of(answers: ModelAnswers, among: _Flags) -> Groups:
    return None if answers.groups is None else np.asarray(answers.groups)[among]
