"""Few-shot episodes: how well a network's features tell classes that it never learnt.

Protocol of Tian et al. 2020 (see `edgekd.metrics.few_shot`), by lesion or patient: the network
stays as it is, and a logistic head is fitted to the few images of each episode.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekd.bench.run.evaluate import is_bundle
from edgekd.data import Dataset, decoded_images
from edgekd.errors import InputError
from edgekd.metrics.few_shot import EpisodeProtocol, episodes
from edgekd.metrics.intervals import Interval
from edgekd.metrics.resampling import group_codes
from edgekd.models.card import read_card

__all__ = ["EpisodeResult", "embeddings", "held_out", "run_episodes"]


@dataclass(frozen=True)
class EpisodeResult:
    """The accuracy of one network over episodes.

    Attributes:
        model: The checkpoint's folder.
        protocol: How episodes were drawn.
        classes: The classes that they were drawn from, by name with their number of images.
        left_out: Number of images of classes that the network learnt.
        accuracy: Mean accuracy with its 95 % interval.
    """

    model: Path
    protocol: EpisodeProtocol
    classes: dict[str, int]
    left_out: int
    accuracy: Interval


def run_episodes(model: Path, dataset: Dataset, protocol: EpisodeProtocol) -> EpisodeResult:
    """Episodes over the classes of a data set that a checkpoint's network never learnt.

    Args:
        model: The checkpoint's folder.
        dataset: Labelled images, also of classes that it learnt.
        protocol: How episodes are drawn.

    Raises:
        InputError: It is a bundle, whose file gives no features; or too few classes are left that
            it did not learn, or have too few lesions or patients.
        ArtefactError: The checkpoint is damaged.
        ImageError: An image cannot be read.
    """
    if is_bundle(model):
        message = f"{model} is a bundle, whose file gives outputs and no features"
        raise InputError(message, "give the checkpoint that it was built from")
    card = read_card(model)
    new = held_out(dataset, card.classes)
    features = embeddings(model, np.asarray(decoded_images(new, card.image_size)))
    names = [sample.group for sample in new.samples]
    accuracy = episodes(features, new.targets(), group_codes(names, len(names)), protocol)
    left_out = len(dataset.samples) - len(new.samples)
    return EpisodeResult(model, protocol, new.counts(), left_out, accuracy)


def held_out(dataset: Dataset, learnt: tuple[str, ...]) -> Dataset:
    """The images of the classes that are not among those that a network learnt.

    Raises:
        InputError: Fewer than two such classes are there.
    """
    known = {name.casefold() for name in learnt}
    classes = tuple(name for name in dataset.classes if name.casefold() not in known)
    if len(classes) < 2:
        message = f"{len(classes)} classes of {dataset.name} are new to the network, which learnt "
        raise InputError(
            message + ", ".join(learnt), "episodes take two classes at least that it did not learn"
        )
    samples = tuple(sample for sample in dataset.samples if sample.label in classes)
    return replace(dataset, classes=classes, samples=samples)


def embeddings(model: Path, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The input of a network's classifier [N, D] for images uint8 [N, S, S, 3].

    Raises:
        InputError: The network does not give its features.
        ArtefactError: The checkpoint is damaged.
    """
    from edgekd.models.checkpoint import load_checkpoint
    from edgekd.models.embeddings import embeddings_of

    return embeddings_of(load_checkpoint(model).normalised(), images).astype(np.float64)
