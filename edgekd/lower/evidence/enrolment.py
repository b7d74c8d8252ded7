"""The section of a card on what `edgekd enrol` taught a bundle."""

from __future__ import annotations

from collections.abc import Iterator

from edgekd.bundle import HeadRecord
from edgekd.bundle.policy import PolicyWords

__all__ = ["enrolment_lines", "share_text"]


def enrolment_lines(head: HeadRecord, words: PolicyWords) -> Iterator[str]:
    """The section, as Markdown.

    Args:
        head: What the bundle was taught.
        words: The policy's words for lesions or patients.
    """
    yield "## The classes that it was taught"
    yield ""
    yield (
        f"- {head.images} images of {head.groups} {words.groups}, on {head.date}; a logistic head "
        f"on {head.size} features of unit length, C = {head.inverse_strength:g}"
    )
    yield f"- The bundle that was taught: {head.earlier[:12] if head.earlier else 'unknown'}"
    if head.balanced_accuracy is None:
        yield f"- **Not measured**: {head.not_measured}"
    else:
        balanced = share_text(
            head.balanced_accuracy, head.balanced_accuracy_low, head.balanced_accuracy_high
        )
        yield f"- Balanced accuracy, each {words.group} left out in turn: {balanced}"
    yield ""
    yield f"| class | images | {words.groups} | right when left out | share |"
    yield "|---|---|---|---|---|"
    for name, one in head.classes.items():
        right = "not measured" if one.right is None else str(one.right)
        share = share_text(one.sensitivity, one.low, one.high)
        yield f"| {name} | {one.images} | {one.groups} | {right} | {share} |"


def share_text(value: float | None, low: float | None, high: float | None) -> str:
    """A value with its interval, if it has one; empty for None."""
    if value is None:
        return ""
    return f"{value:.3f}" if low is None or high is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"
