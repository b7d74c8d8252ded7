"""Whether a network was trained without the validation and test images of another one."""

from __future__ import annotations

from pathlib import Path

from edgekd.data import Split
from edgekd.data.split import PARTS
from edgekd.errors import EdgekdError
from edgekd.models.card import ModelCard, read_own_split

__all__ = ["holds_out_the_same"]

_JUDGED = {"validation", "test"}


def holds_out_the_same(folder: Path, card: ModelCard, split: Split) -> bool:
    """Whether a checkpoint holds out the same groups for validation and test as a split.

    It does if its own split is that one, or has each validated and each tested group (a lesion or a
    patient) in the same part: the two may differ in their training images alone. A checkpoint that
    does not say which images it was trained on does not.

    Args:
        folder: Folder of the checkpoint.
        card: Its card.
        split: The split that another network is trained and judged on.
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
