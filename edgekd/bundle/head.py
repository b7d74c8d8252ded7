"""The head of an enrolled bundle: what turns its network's features into outputs."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

__all__ = ["EnrolledClass", "HeadRecord", "problems_of_head"]


class EnrolledClass(msgspec.Struct, frozen=True, kw_only=True):
    """The images that taught a head one class, and how it answered on them when left out.

    Attributes:
        images: Number of images.
        groups: Number of lesions or patients that they show.
        right: Number of images that a head without their lesion or patient answers right; null
            where there is no other one to teach that head.
        sensitivity: The share of them; null where `right` is.
        low: Lower end of its 95 % interval; null where it has none.
        high: Upper end of it.
    """

    images: int
    groups: int
    right: int | None = None
    sensitivity: float | None = None
    low: float | None = None
    high: float | None = None


class HeadRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A multinomial logistic head on features of unit length, fitted by `edgekd enrol`.

    The outputs are W·f/‖f‖ + b, in the order of the model's classes.

    Attributes:
        weights: W, [K][F].
        bias: b, [K].
        classes: The images that taught each class, by its name.
        images: Number of images that it was fitted to.
        groups: Number of lesions or patients that they show.
        inverse_strength: C of the fit, see `edgekd.metrics.few_shot.fit_head`.
        date: Day of the enrolment, in UTC: `2026-11-30`.
        earlier: SHA-256 of the bundle that was taught.
        balanced_accuracy: Balanced accuracy with each lesion or patient left out in turn; null
            where a class is of one alone.
        balanced_accuracy_low: Lower end of its 95 % interval; null where it has none.
        balanced_accuracy_high: Upper end of it.
        not_measured: Why there is no balanced accuracy; null where there is one.
    """

    weights: tuple[tuple[float, ...], ...]
    bias: tuple[float, ...]
    classes: dict[str, EnrolledClass] = {}
    images: int = 0
    groups: int = 0
    inverse_strength: float = 1.0
    date: str = ""
    earlier: str | None = None
    balanced_accuracy: float | None = None
    balanced_accuracy_low: float | None = None
    balanced_accuracy_high: float | None = None
    not_measured: str | None = None

    @property
    def size(self) -> int:
        """F, the number of features."""
        return len(self.weights[0]) if self.weights else 0


def problems_of_head(head: HeadRecord | None, classes: int) -> Iterator[str]:
    """Contradictions of a head with itself and with the number of classes."""
    if head is None:
        return
    rows = {len(row) for row in head.weights}
    if len(head.weights) != classes or len(head.bias) != classes or len(rows) != 1 or 0 in rows:
        yield "head must have weights [classes][features] and bias [classes]"
    elif not all(math.isfinite(value) for row in (*head.weights, head.bias) for value in row):
        yield "head must have finite weights and bias"
