"""The document of an external validation: a result like any other, with a section of its own."""

from __future__ import annotations

from typing import Literal

import msgspec

from edgekd.bench.result import Estimate, Result

__all__ = [
    "AttributeShares",
    "ClassOutcome",
    "ClassValues",
    "Confusion",
    "GapFacts",
    "LabelFacts",
    "LeakFacts",
    "Measure",
    "ModelValidation",
    "PairDifference",
    "Renamed",
    "Share",
    "SubgroupShares",
    "ValidatedResult",
    "Validation",
]

VALIDATION_VERSION = "1.0"

Measure = Literal["sensitivity", "not answered"]
"""What a gap is about: the answers to images of a class, or images without an answer."""


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Share(Estimate, frozen=True, kw_only=True):
    """`count` of `n` images, as a share with its 95 % interval."""

    count: int
    n: int


class ClassOutcome(_Section, frozen=True, kw_only=True):
    """What a model does with the images of one class; the four shares add up to 1.

    Attributes:
        images: Number of images.
        groups: Number of lesions or patients; null where none are known.
        answered_right: Answered, with the class.
        answered_wrong: Answered, as something else: missed.
        referred: Referred to a person.
        retaken: To be taken again.
    """

    images: int
    groups: int | None
    answered_right: Share
    answered_wrong: Share
    referred: Share
    retaken: Share


class Confusion(_Section, frozen=True, kw_only=True):
    """Number of images by true class and outcome.

    Attributes:
        columns: The classes as answers, then `referred` and `retake`.
        counts: A row of the columns for each true class.
        answers: The same of the answers whatever the decision, without the last two columns.
    """

    columns: list[str]
    counts: dict[str, list[int]]
    answers: dict[str, list[int]]


class ClassValues(_Section, frozen=True, kw_only=True):
    """Predictive values of one class at a prevalence.

    Attributes:
        prevalence: Share of images that show the class, given by the user.
        positive: Of images answered as the class, the share that show it.
        negative: Of images answered as something else, the share that do not show it.
    """

    prevalence: float
    positive: Estimate
    negative: Estimate


class SubgroupShares(_Section, frozen=True, kw_only=True):
    """One subgroup of the images.

    Attributes:
        name: Its name.
        images: Number of images.
        groups: Number of lesions or patients; null where none are known.
        sensitivity: By class that occurs in it: the share of images whose answer names the class,
            whatever the decision.
        not_answered: Share of images that are referred or to be taken again.
    """

    name: str
    images: int
    groups: int | None
    sensitivity: dict[str, Share]
    not_answered: Share


class AttributeShares(_Section, frozen=True, kw_only=True):
    """The subgroups by one column.

    Attributes:
        name: The column.
        rule: How its values became subgroups.
        subgroups: The subgroups, missing values last.
    """

    name: str
    rule: str
    subgroups: list[SubgroupShares]


class GapFacts(_Section, frozen=True, kw_only=True):
    """The gap between two subgroups that is the most certain of its attribute and measure.

    Attributes:
        attribute: The column.
        measure: What differs.
        member: The class; null where the measure is of all images.
        lower: Subgroup with the lower share.
        higher: Subgroup with the higher share.
        lower_share: Its share, with an interval of its own.
        higher_share: The same of the higher one.
        difference: Higher minus lower; the interval holds together with those of all other gaps.
    """

    attribute: str
    measure: Measure
    member: str | None
    lower: str
    higher: str
    lower_share: Share
    higher_share: Share
    difference: Estimate

    @property
    def shown(self) -> bool:
        """Whether the images show that there is a gap."""
        return self.difference.low is not None and self.difference.low > 0


class ModelValidation(_Section, frozen=True, kw_only=True):
    """One model on all images.

    Attributes:
        name: Name of its row in the result.
        decides: Whether it may refer or want another photo; a checkpoint may not.
        overall: What it does with all images; right means the whole answer.
        outcomes: What it does with the images of each class that occurs.
        confusion: Images by true class and outcome; null where an image may show several classes.
        answered_classes: Classes that occur and of which it answers 5 % or more right.
        values: Predictive values of each class whose prevalence was given.
        attributes: Subgroups by each column.
        gaps: The most certain gap of each attribute and measure, the most certain one first.
        comparisons: Number of pairs of subgroups that the intervals of gaps hold for together.
    """

    name: str
    decides: bool
    overall: ClassOutcome
    outcomes: dict[str, ClassOutcome]
    confusion: Confusion | None
    answered_classes: list[str]
    values: dict[str, ClassValues] = {}
    attributes: list[AttributeShares] = []
    gaps: list[GapFacts] = []
    comparisons: int = 0


class PairDifference(_Section, frozen=True, kw_only=True):
    """Second model minus first one on the same images, paired, each with a 95 % interval.

    Attributes:
        first: Name of the first model.
        second: Name of the second model.
        deltas: Differences of metrics of all images, by their key.
        agreement: Share of images with the same answer.
        flips: Number of images with another answer.
        sensitivity: By class: difference of the share whose answer names it.
        answered_wrong: By class: difference of the share that is answered as something else.
    """

    first: str
    second: str
    deltas: dict[str, Estimate]
    agreement: float | None
    flips: int
    sensitivity: dict[str, Estimate]
    answered_wrong: dict[str, Estimate]


class LeakFacts(_Section, frozen=True, kw_only=True):
    """Whether images of the table were used to make a model.

    Attributes:
        model: Name of its row.
        state: `found` in spite of which the user went on, `none`, or `not checked`.
        reason: Why it was not checked, or empty.
        by_part: Number of images by part of the model's split.
        first: Names of the first of them.
    """

    model: str
    state: Literal["none", "found", "not checked"]
    reason: str = ""
    by_part: dict[str, int] = {}
    first: list[str] = []


class Renamed(_Section, frozen=True, kw_only=True):
    """A label that the table writes in another way than the model."""

    label: str
    images: int


class LabelFacts(_Section, frozen=True, kw_only=True):
    """How labels of the table became classes of the model.

    Attributes:
        renamed: Class and number of images, by the label as written.
        dropped: Number of images left out, by their label.
        absent: Classes of the model that no image shows.
    """

    renamed: dict[str, Renamed] = {}
    dropped: dict[str, int] = {}
    absent: list[str] = []


class Validation(_Section, frozen=True, kw_only=True):
    """The section of an external validation."""

    version: str = VALIDATION_VERSION
    labels: LabelFacts
    leaks: list[LeakFacts]
    models: list[ModelValidation]
    differences: list[PairDifference] = []


class ValidatedResult(Result, frozen=True, kw_only=True):
    """A result with a row for each model, and the section.

    Programs that read results read it as one. The section is null for a task whose answers are not
    classes or findings.
    """

    validation: Validation | None = None
