"""The sizes that teachers see images at, where these are not the student's.

An augmented view is made once, at the larger of the sizes; teacher and student each see it resized
to their own.
"""

from __future__ import annotations

from pathlib import Path

from edgekd.distill.teachers.soft_label_files import read_soft_label_file
from edgekd.models.card import read_card
from edgekd.recipe import Recipe
from edgekd.resources import checkpoint_place

__all__ = ["crop_side", "side_of_file"]


def side_of_file(file: Path) -> int:
    """The side in pixels of the views that a file of soft labels is of; 0 without views.

    Raises:
        InputError, ArtefactError: See `read_soft_label_file`.
    """
    facts = read_soft_label_file(file).facts
    if facts is None or facts.views is None:
        return 0
    return int(facts.views.get("side", facts.image_size))


def crop_side(recipe: Recipe) -> int:
    """C, the side in pixels at which a recipe's training images are augmented.

    Raises:
        InputError: A teacher's checkpoint, or its file of outputs, is not there.
        ArtefactError: It is damaged.
    """
    size, teacher = recipe.image_size, recipe.teacher
    if teacher is not None and teacher.logits is not None:
        return max(size, side_of_file(Path(teacher.logits)))
    folders = [section.checkpoint for section in recipe.teacher_networks if section.checkpoint]
    cards = [read_card(checkpoint_place(folder)) for folder in folders]
    return max(size, *(card.own_side(size) or 0 for card in cards), 0)
