"""Images for training alone, drawn in the same share of every class."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from edgekd.data.dataset import Dataset
from edgekd.data.part_names import TRAIN_ONLY
from edgekd.errors import InputError

__all__ = ["with_even_shares"]


def with_even_shares(dataset: Dataset, parts: Mapping[int, str]) -> Dataset:
    """The data set with weights, by which images for training alone say nothing of their class.

    Such images often look otherwise than those that are judged: other pixels, another camera. Where
    some classes have more of them than others, how an image looks is a sign of its class in
    training, and misleads the network afterwards. Here an image for training alone weighs
    (fᶜ / aᶜ) · (A / F), where its class has aᶜ images for training alone and fᶜ others, and all
    classes A and F: every class then has the same share of them, which is that of all draws before.
    A class that has images of one kind alone stays as it is.

    Args:
        dataset: The data set.
        parts: The part of each sample.

    Raises:
        InputError: No class has images of both kinds to train on.
    """
    alone: dict[str, float] = defaultdict(float)
    others: dict[str, float] = defaultdict(float)
    classes = [name for name, _ in dataset.strata()]
    for index, sample in enumerate(dataset.samples):
        if parts[index] == "train":
            counted = alone if sample.part == TRAIN_ONLY else others
            counted[classes[index]] += sample.weight
    both = {name for name in classes if alone[name] > 0 and others[name] > 0}
    if not both:
        message = "`split.even_train_only` needs images that are for training alone, and others"
        hint = "leave it out, or name them by `data.split_column` or ham10000's `training_root`"
        raise InputError(message, hint)
    share = sum(alone[name] for name in both) / sum(others[name] for name in both)
    weights = {name: share * others[name] / alone[name] for name in both}
    samples = tuple(
        replace(one, weight=one.weight * weights.get(name, 1.0)) if one.part == TRAIN_ONLY else one
        for one, name in zip(dataset.samples, classes, strict=True)
    )
    return replace(dataset, samples=samples)
