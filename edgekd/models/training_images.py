"""Which images a checkpoint was made with, so that a test on them is noticed."""

from __future__ import annotations

from pathlib import Path

from edgekd.bundle.seen_images import SEEN_IMAGES, SeenImages, decode_seen_images
from edgekd.data import Split
from edgekd.data.image_hashes import image_hashes
from edgekd.errors import ImageError, InputError
from edgekd.models.card import read_card, read_own_split
from edgekd.seals import read_checked

__all__ = ["carried_list", "images_of_checkpoint", "images_of_split"]

_PARTS = ("train", "validation")


def carried_list(folder: Path) -> SeenImages | None:
    """The list that a checkpoint carries in place of its images; None where it carries none.

    Raises:
        ArtefactError: The list is damaged.
    """
    file = folder / SEEN_IMAGES
    if not file.is_file():
        return None
    return decode_seen_images(read_checked(file), str(folder), "copy the whole folder again")


def images_of_checkpoint(folder: Path) -> SeenImages | None:
    """Hashes of the images that a checkpoint was trained on, or selected by.

    Returns:
        None where it carries no list, and its images are not where they were.

    Raises:
        ArtefactError: The list or the checkpoint is damaged.
    """
    carried = carried_list(folder)
    if carried is not None:
        return carried
    card = read_card(folder)
    try:
        return images_of_split(read_own_split(folder, card), card.data.sha256)
    except (InputError, ImageError):
        return None


def images_of_split(split: Split, key: str) -> SeenImages:
    """Hashes of the images of a split that training reads.

    Args:
        split: The split.
        key: Hash of the data set.

    Raises:
        ImageError: An image is missing.
    """
    parts = {part: image_hashes(split.dataset.paths(split.indices(part))) for part in _PARTS}
    return SeenImages.of(parts, key)
