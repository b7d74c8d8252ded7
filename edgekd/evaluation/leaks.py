"""Images of the table that a model was trained or fitted on, found by the bytes of their files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekd.bench.run.evaluate import is_bundle
from edgekd.bundle import Bundle
from edgekd.bundle.seen_images import read_seen_images
from edgekd.data.image_hashes import image_hashes
from edgekd.errors import ImageError, InputError
from edgekd.models.card import read_card, read_own_split
from edgekd.models.training_images import carried_list

__all__ = ["Leaks", "find_leaks", "refuse_leaks"]

_PARTS = ("train", "validation")
_WORDS = {"train": "trained on", "validation": "fitted on"}
_SHOWN = 3


@dataclass(frozen=True)
class Leaks:
    """Images of the table that one model was made with.

    Attributes:
        model: Its path.
        parts: Part of the model's split by position of the image.
        reason: Why it could not be checked; empty where it was.
    """

    model: Path
    parts: dict[int, str]
    reason: str = ""

    def by_part(self) -> dict[str, int]:
        """Number of images by part."""
        counts = Counter(self.parts.values())
        return {part: counts[part] for part in _PARTS if counts[part]}


def find_leaks(models: Sequence[Path], images: Sequence[Path]) -> list[Leaks]:
    """The images that each model was trained on, or selected and fitted on.

    A bundle and a shipped student have a list of them. Any other checkpoint names its images, which
    are read again.

    Args:
        models: Bundles and checkpoints' folders.
        images: The images of the table.

    Raises:
        ArtefactError: A model, or its list, is damaged.
        ImageError: An image of the table cannot be read.
    """
    hashes = image_hashes(images)
    return [_leaks_of(model, hashes) for model in models]


def _leaks_of(model: Path, hashes: Sequence[str]) -> Leaks:
    try:
        part_of = _list_of(model)
    except (InputError, ImageError) as error:
        return Leaks(model, {}, error.message)
    if part_of is None:
        return Leaks(model, {}, "the bundle does not list the images that it was made with")
    parts = ((index, part_of(sha256)) for index, sha256 in enumerate(hashes))
    return Leaks(model, {index: part for index, part in parts if part is not None})


def _list_of(model: Path) -> Callable[[str], str | None] | None:
    """A function that gives the part of an image by its hash; None where nothing is listed."""
    if is_bundle(model):
        with Bundle.open(model, verify=False) as bundle:
            listed = read_seen_images(bundle)
        return None if listed is None else listed.part_of
    if (carried := carried_list(model)) is not None:
        return carried.part_of
    split = read_own_split(model, read_card(model))
    chosen = {part: split.indices(part) for part in reversed(_PARTS)}
    return {
        sha256: part
        for part, indices in chosen.items()
        for sha256 in image_hashes(split.dataset.paths(indices))
    }.get


def refuse_leaks(leaks: Sequence[Leaks], names: Sequence[str]) -> None:
    """Refuse a table with images that a model was made with.

    Args:
        leaks: The leaks of each model.
        names: Name of each image.

    Raises:
        InputError: Has the number of images and the first of them.
    """
    for each in leaks:
        if not each.parts:
            continue
        counts = " and ".join(f"{_WORDS[part]} {n}" for part, n in each.by_part().items())
        first = ", ".join(names[index] for index in sorted(each.parts)[:_SHOWN])
        more = ", …" if len(each.parts) > _SHOWN else ""
        message = (
            f"{len(each.parts)} of {len(names)} images are not new to {each.model}: it was "
            f"{counts} of them ({first}{more})"
        )
        hint = "remove their rows, or give --allow-leaks, which is then written into the result"
        raise InputError(message, hint)
