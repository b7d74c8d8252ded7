"""A bundle's record of its policy, so that devices do not need the policy's file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

__all__ = [
    "CAPTURE_CODES",
    "UNLIKE",
    "FloorRecord",
    "PolicyRecord",
    "PolicyWords",
    "Sentence",
    "TeacherRecord",
    "words_of",
]

CAPTURE_CODES: dict[str, tuple[str | None, str | None]] = {
    "sharpness": ("blurred", None),
    "brightness": ("dark", "bright"),
    "glare": (None, "glare"),
    "contrast": ("no-lesion", None),
    "off_centre": (None, "off-centre"),
}
"""Reason codes by measure of a photo: for a value below its limits, and for one above; None where
that side has no limit."""

UNLIKE = "unlike"
"""Reason code of a photo that is unlike the training images."""


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    """Common base: immutable, by keyword, unknown fields of newer minor versions ignored."""


class Sentence(_Section, frozen=True, kw_only=True):
    """The text that a device shows for a photo that has to be taken again.

    Attributes:
        problem: What is wrong with the photo.
        remedy: What to do about it.
    """

    problem: str
    remedy: str


class PolicyWords(_Section, frozen=True, kw_only=True):
    """Words of a domain for reports and cards.

    Attributes:
        first: Classes that reports name before others, whatever their case.
        group: What the images of one group share, in the singular: `lesion or patient`.
        groups: The same in the plural.
    """

    first: tuple[str, ...] = ()
    group: str = "group"
    groups: str = "groups"

    def ordered(self, classes: tuple[str, ...]) -> tuple[str, ...]:
        """A model's classes in the order of reports: those of `first` before the others."""
        ranks = {name.casefold(): rank for rank, name in enumerate(self.first)}
        return tuple(sorted(classes, key=lambda name: ranks.get(name.casefold(), len(ranks))))


class FloorRecord(_Section, frozen=True, kw_only=True):
    """One floor of the policy, and the result of the lowered file.

    Attributes:
        code: `beyond-chance`, `noticed`, `answered` or `specificity`.
        quantity: The measured quantity in words, with the name of its class.
        value: The measured value; null where it could not be measured.
        low: Lower end of its 95 % interval; null where there is none.
        high: Upper end of that interval.
        least: The least value that the policy accepts.
        by: What is compared with `least`: the `value`, or the `low` end of the interval.
        met: Whether the floor is reached; False where the quantity could not be measured.
    """

    code: str
    quantity: str
    value: float | None
    low: float | None = None
    high: float | None = None
    least: float
    by: Literal["value", "low"]
    met: bool

    @property
    def sentence(self) -> str:
        """The result in one line for people."""
        if self.value is None:
            return f"{self.quantity} cannot be measured, and {self.least:.3g} is demanded"
        interval = "" if self.low is None else f" [{self.low:.3f}, {self.high:.3f}]"
        demanded = "the lower end" if self.by == "low" else "the value"
        verdict = "reaches" if self.met else "does not reach"
        if self.code == "beyond-chance":
            verdict = "exceeds" if self.met else "does not exceed"
        return (
            f"{self.quantity} is {self.value:.3f}{interval}; {demanded} {verdict} {self.least:.3g}"
        )


class TeacherRecord(_Section, frozen=True, kw_only=True):
    """The lowered file compared with the teacher on the same validation images (non-inferiority).

    Attributes:
        state: `not-inferior`: the upper end of the interval of the deficit is within the margin.
            `inferior`: its lower end exceeds the margin. `not-shown`: neither. `not-measured`:
            there was no teacher.
        metric: Name of the metric.
        margin: Largest deficit that counts as not inferior.
        deficit: Teacher minus file; null where it was not measured.
        low: Lower end of its paired 95 % interval.
        high: Upper end of that interval.
        required: Whether the policy refuses a file that is not shown to be not inferior.
        reason: Why it was not measured, or null.
    """

    state: Literal["not-inferior", "inferior", "not-shown", "not-measured"]
    metric: str
    margin: float
    deficit: float | None = None
    low: float | None = None
    high: float | None = None
    required: bool = False
    reason: str | None = None

    @property
    def sentence(self) -> str:
        """The result in one line for people."""
        metric = self.metric.replace("_", " ")
        if self.deficit is None:
            return f"{metric} beside the teacher: not measured, {self.reason}"
        words = {
            "not-inferior": "not inferior",
            "inferior": "inferior",
            "not-shown": "not shown either way",
        }
        interval = "" if self.low is None else f" [{self.low:+.3f}, {self.high:+.3f}]"
        return (
            f"{metric} of the teacher minus that of the file: {self.deficit:+.3f}{interval}, "
            f"margin {self.margin:.3g}: {words[self.state]}"
        )


class PolicyRecord(_Section, frozen=True, kw_only=True):
    """The policy that a bundle was built by, and whether its file keeps it.

    Attributes:
        name: Name of the policy.
        title: Its title, for people.
        sha256: Hash of the whole policy, as tightened for this build.
        critical: Limits of the critical classes of this model, by name.
        words: Words of the domain.
        research: Whether the bundle was built with `--research`, which lowers a file although a
            floor is not met.
        floors: Every floor and the file's result, measured with the host's engine until a device
            has finished the file.
        teacher: The comparison with the teacher.
    """

    name: str
    title: str = ""
    sha256: str
    critical: dict[str, float] = {}
    words: PolicyWords = PolicyWords()
    research: bool = False
    floors: tuple[FloorRecord, ...] = ()
    teacher: TeacherRecord | None = None

    def unmet(self) -> Iterator[str]:
        """One sentence for each floor that is not met, a required margin included."""
        yield from (floor.sentence for floor in self.floors if not floor.met)
        teacher = self.teacher
        if teacher is not None and teacher.required and teacher.state != "not-inferior":
            yield teacher.sentence

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences that a device must show with this bundle; empty where every floor is met."""
        return tuple(f"for research, floor not met: {sentence}" for sentence in self.unmet())


_WORDS_BEFORE_1_6 = PolicyWords(
    first=("mel", "melanoma", "malignant"), group="lesion or patient", groups="lesions or patients"
)


def words_of(policy: PolicyRecord | None) -> PolicyWords:
    """Words of a bundle's domain; formats before 1.6 have no policy and are for dermoscopy."""
    return _WORDS_BEFORE_1_6 if policy is None else policy.words
