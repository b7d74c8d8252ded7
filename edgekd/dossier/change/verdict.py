"""The verdict on a change by a plan: each sentence says what is outside of it, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekd.dossier.change.figures import PairedFigure
from edgekd.dossier.change.manifests import Change
from edgekd.dossier.change.plan import ChangePlan, PlannedMargin

__all__ = ["MarginVerdict", "Verdict", "verdict_of"]


@dataclass(frozen=True)
class MarginVerdict:
    """Whether a margin holds.

    Attributes:
        margin: The margin.
        holds: Whether the whole interval keeps it.
        sentence: Why, or why not.
    """

    margin: PlannedMargin
    holds: bool
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """Whether a change is within its plan.

    Attributes:
        plan: The plan.
        forbidden: Changes that it does not allow.
        margins: Its margins.
    """

    plan: ChangePlan
    forbidden: tuple[Change, ...]
    margins: tuple[MarginVerdict, ...]

    @property
    def reasons(self) -> list[str]:
        """Why the change is outside of the plan; empty where it is within."""
        changed = [
            f"{each.field} changed from {each.old} to {each.new}, and the plan allows no change of "
            f"{each.area}"
            for each in self.forbidden
        ]
        return [*changed, *(each.sentence for each in self.margins if not each.holds)]

    @property
    def within(self) -> bool:
        """Whether the change is within the plan."""
        return not self.reasons


def verdict_of(
    plan: ChangePlan, changes: Sequence[Change], figures: Sequence[PairedFigure]
) -> Verdict:
    """The verdict.

    Args:
        plan: The plan.
        changes: What differs.
        figures: Paired figures; empty where the bundles were not run on the same images.
    """
    return Verdict(
        plan=plan,
        forbidden=tuple(each for each in changes if not plan.allows(each.area, each.field)),
        margins=tuple(_verdict_of_margin(margin, figures) for margin in plan.margins),
    )


def _verdict_of_margin(margin: PlannedMargin, figures: Sequence[PairedFigure]) -> MarginVerdict:
    if not figures:
        return _fails(margin, "was not compared on the same images: give --csv")
    matches = [each for each in figures if (each.figure, each.of) == (margin.figure, margin.of)]
    if not matches:
        known = ", ".join(each.title for each in figures)
        return _fails(margin, f"was not measured; measured were: {known}")
    figure = matches[0]
    if figure.images < margin.images:
        demanded = f"the plan demands {margin.images:,}"
        return _fails(margin, f"is of {figure.images:,} images, and {demanded}")
    if figure.worst is None:
        return _fails(margin, f"has no interval, of {figure.images:,} images")
    return _by_interval(margin, figure, figure.worst)


def _by_interval(margin: PlannedMargin, figure: PairedFigure, worst: float) -> MarginVerdict:
    value = figure.difference.value or 0.0
    low, high = (100 * (each or 0.0) for each in (figure.difference.low, figure.difference.high))
    bounds = f"{100 * value:+.1f} points ({low:+.1f} to {high:+.1f}, {figure.images:,} images)"
    allowed = f"may be worse by {100 * margin.worse:.3g}"
    if worst <= margin.worse:
        return MarginVerdict(margin, True, f"{margin.title} changed by {bounds}, and {allowed}")
    could = f"so it may be worse by {100 * worst:.1f}, and {allowed}"
    return _fails(margin, f"changed by {bounds}, {could}")


def _fails(margin: PlannedMargin, why: str) -> MarginVerdict:
    return MarginVerdict(margin, False, f"{margin.title} {why}")
