"""Whether a network was kept from the images that another one is judged on."""

from __future__ import annotations

from pathlib import Path

from edgekd.data import Split
from edgekd.data.split import PARTS
from edgekd.errors import EdgekdError
from edgekd.models.card import ModelCard, read_own_split

__all__ = ["is_of_same_parts"]

_JUDGED = {"validation", "test"}


def is_of_same_parts(folder: Path, card: ModelCard, split: Split) -> bool:
    """Whether a network was made without the validation and test images of a split.

    It was if its own split is that one, or has each validated and each tested group in the same
    part: then the two differ in what they train on alone. A checkpoint that does not say what it
    was made with counts as made with all of it.

    Args:
        folder: Folder of the checkpoint.
        card: Its card.
        split: The split of the other network.
    """
    if card.data.sha256 == split.sha256():
        return True
    try:
        own = read_own_split(folder, card, images=False)
    except (EdgekdError, OSError):
        return False
    required, known = _parts_of_groups(split), _parts_of_groups(own)
    return all(known.get(group) == parts for group, parts in required.items() if parts & _JUDGED)


def _parts_of_groups(split: Split) -> dict[str, set[str]]:
    """The parts in which each group is used."""
    groups: dict[str, set[str]] = {}
    for sample, part in zip(split.dataset.samples, split.parts, strict=True):
        if part in PARTS:
            groups.setdefault(sample.group, set()).add(part)
    return groups
