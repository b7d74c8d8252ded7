"""What the numbers say, in sentences made from them: the first screen of the page."""

from __future__ import annotations

from collections.abc import Sequence

from edgekd.bench.report.columns import policy_of
from edgekd.bench.report.formats import PERCENT, interval, percent
from edgekd.bench.result import PolicyFacts
from edgekd.bench.task import policy_order
from edgekd.evaluation.document import (
    ClassOutcome,
    GapFacts,
    LeakFacts,
    ModelValidation,
    Share,
    ValidatedResult,
    Validation,
)
from edgekd.evaluation.outcomes import LEAST_ANSWERED

__all__ = [
    "absent_sentence",
    "answered_sentence",
    "first_classes",
    "gap_sentence",
    "gap_sentences",
    "label_sentences",
    "leak_sentence",
    "missed_sentence",
    "model_sentences",
    "overall_sentence",
    "plain_text",
]

_MOST_NAMES = 6


def model_sentences(model: ModelValidation, policy: PolicyFacts) -> list[str]:
    """What a model misses and refers, which classes it practically answers, and its gaps."""
    missed = [
        missed_sentence(name, model.outcomes[name], decides=model.decides)
        for name in first_classes(model, policy)
    ]
    answered = answered_sentence(model)
    sentences = [*missed, overall_sentence(model.overall, decides=model.decides)]
    gaps = gap_sentences(model, first_classes(model, policy))
    return [*sentences, *([answered] if answered else []), *gaps]


def plain_text(result: ValidatedResult) -> list[str]:
    """The sentences of all models for a terminal; none without a section."""
    section, policy = result.validation, policy_of(result)
    if section is None:
        return []
    lines = [leak_sentence(each, result.data.n) for each in section.leaks]
    lines += [absent_sentence(section), *label_sentences(section)]
    for model in section.models:
        before = f"{model.name}: " if len(section.models) > 1 else ""
        lines += [f"{before}{sentence}" for sentence in model_sentences(model, policy)]
    return [line for line in lines if line]


def first_classes(model: ModelValidation, policy: PolicyFacts) -> list[str]:
    """The classes that the first screen names: those that the policy calls critical or first."""
    first = {name.casefold() for name in policy.first}
    named = [name for name in model.outcomes if name in policy.critical or name.casefold() in first]
    return policy_order(named, policy)


def missed_sentence(name: str, outcome: ClassOutcome, *, decides: bool) -> str:
    """Of 171 images of mel, 12 were answered as something else (7.0 %, …); 58 were referred, …."""
    wrong = outcome.answered_wrong
    start = f"Of {_images(outcome.images)} of {name}, {_none(wrong.count)} {_was(wrong.count)} "
    return f"{start}answered as something else{_in_percent(wrong)}; {_rest(outcome, decides)}."


def overall_sentence(overall: ClassOutcome, *, decides: bool) -> str:
    """The same of all images, whatever they show."""
    wrong = overall.answered_wrong
    start = f"Of all {_images(overall.images)}, {_none(wrong.count)} {_was(wrong.count)} "
    return f"{start}answered wrong{_in_percent(wrong)}; {_rest(overall, decides)}."


def _rest(outcome: ClassOutcome, decides: bool) -> str:
    right = outcome.answered_right.count
    answered = f"{_none(right)} {_was(right)} answered right"
    if not decides:
        return f"{answered} (a checkpoint refers no image)"
    referred, again = outcome.referred.count, outcome.retaken.count
    taken = f"{_none(again)} {'is' if again == 1 else 'are'} to be taken again"
    return f"{_none(referred)} {_was(referred)} referred, {taken}, {answered}"


def answered_sentence(model: ModelValidation) -> str:
    """Which of the classes a model practically answers; empty where it answers all of them."""
    rest = [name for name in model.outcomes if name not in model.answered_classes]
    if not rest:
        return ""
    subject = "The device" if model.decides else "The model"
    count = f"{len(model.answered_classes)} of the {len(model.outcomes)} classes that occur"
    names = f": {_listed(model.answered_classes)}" if model.answered_classes else ""
    shares = _listed(
        [f"{name} ({model.outcomes[name].answered_right.count} of {model.outcomes[name].images})"
         for name in rest]
    )  # fmt: skip
    least = f"{100 * LEAST_ANSWERED:g}{PERCENT}"
    return (
        f"{subject} practically answers {count}{names}. Fewer than {least} of the images are "
        f"answered right of {shares}."
    )


def gap_sentences(model: ModelValidation, first: Sequence[str] = ()) -> list[str]:
    """The largest gap that the images show, or that they show none; empty without subgroups.

    Args:
        model: The model.
        first: Classes whose most certain gap is named too, if it is not the largest.
    """
    if not model.gaps:
        return []
    shown = [gap for gap in model.gaps if gap.shown]
    if not shown:
        before = f"No difference between subgroups is certain among {_pairs(model)}. The strongest "
        return [f"{before}one: {gap_sentence(model.gaps[0])}"]
    largest, *others = shown
    named = [next((gap for gap in others if gap.member == name), None) for name in first]
    further = [f"Certain too: {gap_sentence(gap)}" for gap in named if gap is not None]
    rest = len(others) - len(further)
    more = f" {rest} further gap{'s are' if rest > 1 else ' is'} certain." if rest else ""
    before = f"The largest certain difference among {_pairs(model)}"
    sentences = [f"{before}: {gap_sentence(largest)}", *further]
    return [*sentences[:-1], sentences[-1] + more]


def gap_sentence(gap: GapFacts) -> str:
    """Sensitivity for mel is 41.2 % (35 of 85) where sex is female and 88.1 % (…) where male, …."""
    what = "the share without an answer" if gap.member is None else f"sensitivity for {gap.member}"
    lower = f"{_with_count(gap.lower_share)} where {gap.attribute} is {gap.lower}"
    higher = f"{_with_count(gap.higher_share)} where it is {gap.higher}"
    difference = f"{_points(gap.difference.value)} points"
    bounds = f"{_points(gap.difference.low)} to {_points(gap.difference.high)}"
    return f"{what} is {lower} and {higher}, a difference of {difference} ({bounds})."


def _pairs(model: ModelValidation) -> str:
    number = model.comparisons
    return f"{number:,} pair{'s' if number != 1 else ''} of subgroups"


def absent_sentence(validation: Validation) -> str:
    """Which classes no image shows; empty where all occur."""
    absent = validation.labels.absent
    if not absent:
        return ""
    verb = "it" if len(absent) == 1 else "them"
    return f"No image shows {_listed(absent, ' or ')}: nothing was measured of {verb}."


def leak_sentence(leaks: LeakFacts, images: int) -> str:
    """Whether images were used to make a model; empty where they were looked for and none was."""
    if leaks.state == "none":
        return ""
    if leaks.state == "not checked":
        start = f"Whether {leaks.model} was made with some of these images is not known: "
        return start + _as_end(leaks.reason)
    words = {"train": "trained on", "validation": "fitted on"}
    parts = [f"{words.get(part, part)} {count}" for part, count in leaks.by_part.items()]
    return (
        f"{sum(leaks.by_part.values())} of the {images:,} images are not new to {leaks.model}: it "
        f"was {_listed(parts)} of them. Every number of it is better than on new images."
    )


def label_sentences(validation: Validation) -> list[str]:
    """Which labels were renamed, and which images left out."""
    labels = validation.labels
    renamed = [
        f"{text!r} was read as {each.label} ({_images(each.images)})"
        for text, each in labels.renamed.items()
    ]
    dropped = [f"{_images(count)} of {text!r}" for text, count in labels.dropped.items()]
    sentences = [f"Labels: {_listed(renamed)}."] if renamed else []
    return [*sentences, *([f"Left out on request: {_listed(dropped)}."] if dropped else [])]


# ---- words ----


def _images(number: int) -> str:
    return "1 image" if number == 1 else f"{number:,} images"


def _none(number: int) -> str:
    return f"{number:,}" if number else "none"


def _was(number: int) -> str:
    return "was" if number in (0, 1) else "were"


def _in_percent(share: Share) -> str:
    """` (7.0 %, 95 % interval 4.1-11.8)`."""
    bounds = interval(share)
    middle = f", 95{PERCENT} interval {bounds}" if bounds else ""
    return f" ({percent(share.value)}{PERCENT}{middle})"


def _with_count(share: Share) -> str:
    return f"{percent(share.value)}{PERCENT} ({share.count:,} of {share.n:,})"


def _points(value: float | None) -> str:
    return percent(value).replace("-", "\N{MINUS SIGN}")


def _listed(names: Sequence[str], last: str = " and ") -> str:
    """`a, b and c`; of many names the first, and how many more."""
    shown = list(names)
    if len(shown) > _MOST_NAMES:
        shown = [*shown[: _MOST_NAMES - 1], f"{len(names) - _MOST_NAMES + 1} more"]
    return last.join(filter(None, [", ".join(shown[:-1]), shown[-1] if shown else ""]))


def _as_end(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
