"""Single images for the page: critical ones that were missed, and a gallery, each with its map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest

import numpy as np

from edgekd.bench.report.columns import policy_of
from edgekd.bench.report.gallery import thumbnail
from edgekd.evaluation.answers import ModelAnswers
from edgekd.evaluation.occlusion import Explained
from edgekd.evaluation.pictures import map_picture
from edgekd.evaluation.validation import ExternalValidation

__all__ = ["Case", "ModelCases", "cases_of", "gallery_images", "missed_images"]


@dataclass(frozen=True)
class Case:
    """One image with what a model does with it.

    Attributes:
        name: Name of the image.
        label: Its label.
        answer: The answer, whatever the decision.
        explained: The class whose map is drawn: of the answer, the most probable one.
        probability: Probability of that class.
        verdict: `answer`, `refer` or `retake`.
        picture: The photo under its map, as SVG.
    """

    name: str
    label: str
    answer: str
    explained: str
    probability: float
    verdict: str
    picture: str


@dataclass(frozen=True)
class ModelCases:
    """The cases of one model.

    Attributes:
        missed: Critical images that were answered as something else, the most confident first.
        missed_in_all: Number of such images, of which some are shown.
        gallery: Other images: of each class some that are answered right, wrong, and not at all.
    """

    missed: list[Case]
    missed_in_all: int
    gallery: list[Case]


def missed_images(answers: ModelAnswers, critical: Sequence[int]) -> list[int]:
    """Images of critical classes that were answered without naming one of these classes.

    Args:
        answers: The answers of a model.
        critical: Indices of the critical classes.

    Returns:
        Positions of the images, the most confident answers first.
    """
    columns = list(critical)
    missed = (answers.shown & ~answers.named)[:, columns].any(axis=1) & answers.answered
    places = np.flatnonzero(missed)
    order = np.argsort(-answers.confidence[places], kind="stable")
    return [int(place) for place in places[order]]


def gallery_images(answers: ModelAnswers, without: Sequence[int], most: int) -> list[int]:
    """At most `most` other images: in turn of each class, answered right, wrong, not answered."""
    excluded = set(without)
    outcomes = (
        answers.answered & answers.right, answers.answered & ~answers.right, ~answers.answered,
    )  # fmt: skip
    queues = [
        np.flatnonzero(flags & answers.shown[:, index]).tolist()
        for flags in outcomes
        for index in range(answers.shown.shape[1])
    ]
    turns = (place for turn in zip_longest(*queues) for place in turn if place is not None)
    chosen = dict.fromkeys(place for place in turns if place not in excluded)
    return list(islice(chosen, most))


def cases_of(validation: ExternalValidation, most: int) -> list[ModelCases]:
    """The cases of each model, at most `most` missed ones and as many others, with their maps.

    Each map runs the model 65 times.

    Raises:
        ImageError: A photo cannot be read.
    """
    classes = validation.data.bench.classes
    critical = [classes.index(n) for n in policy_of(validation.result).critical if n in classes]
    return [_model_cases(validation, each, critical, most) for each in validation.answers]


def _model_cases(
    validation: ExternalValidation, answers: ModelAnswers, critical: Sequence[int], most: int
) -> ModelCases:
    missed = missed_images(answers, critical)
    gallery = gallery_images(answers, missed, most)
    if not most:
        return ModelCases([], len(missed), [])
    with Explained(answers.path) as model:
        cases = _cases(validation, answers, model, [*missed[:most], *gallery])
        return ModelCases(list(islice(cases, len(missed[:most]))), len(missed), list(cases))


def _cases(
    validation: ExternalValidation, answers: ModelAnswers, model: Explained, places: Sequence[int]
) -> Iterator[Case]:
    bench = validation.data.bench
    image_names = bench.names
    for place in places:
        path, label = bench.images[place]
        named = answers.named[place]
        shares = np.where(named | ~named.any(), answers.probabilities[place], -1.0)
        index = int(shares.argmax())
        explained = bench.classes[index]
        names = [name for name, given in zip(bench.classes, named.tolist(), strict=True) if given]
        picture = map_picture(model.map_of(path, explained), thumbnail(path), explained)
        yield Case(
            name=image_names[place],
            label=label,
            answer=" and ".join(names) or "none",
            explained=explained,
            probability=float(shares[index]),
            verdict=str(answers.verdicts[place]),
            picture=picture,
        )
