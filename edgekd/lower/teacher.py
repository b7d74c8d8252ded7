"""The teacher of a student: where its checkpoint is, and its outputs for the validation images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.data import decoded_images
from edgekd.errors import EdgekdError, InputError
from edgekd.lower.evidence.non_inferiority import TeacherOutputs
from edgekd.lower.source import Source, kept_outputs
from edgekd.models import ModelCard, read_card
from edgekd.models.card import CARD, refuse_damaged
from edgekd.models.held_out import holds_out_the_same
from edgekd.resources import checkpoint_place
from edgekd.seals import read_checked

__all__ = ["Teacher", "find_teacher", "teacher_in_recipe", "teacher_outputs"]

_ROLE, _RECIPE = "teacher", "recipe.json"


@dataclass(frozen=True)
class Teacher:
    """The teacher's checkpoint, or why there is none.

    Attributes:
        folder: Folder of the checkpoint; None where there is none.
        reason: Why there is none.
        sha256: Hash of its weights; empty without a checkpoint.
        by_user: Whether the user named the checkpoint, so that damage to it is an error.
    """

    folder: Path | None
    reason: str = ""
    sha256: str = ""
    by_user: bool = False


def find_teacher(source: Source, checkpoint: Path | None = None) -> Teacher:
    """The checkpoint of the teacher that a student learnt from.

    It is `checkpoint` if that is not None, else the teacher beside the student in its run, else the
    one that the student's recipe names. A student that was trained without a teacher can be
    compared with any network that the user names, if it was trained on the same split.

    Args:
        source: The student.
        checkpoint: A checkpoint that the user names, or the folder of a run with `teacher` in it.

    Raises:
        InputError: There is no such checkpoint, or its network cannot be compared.
        ArtefactError: The checkpoint that the user names is damaged.
    """
    if checkpoint is not None:
        inner = checkpoint / _ROLE
        folder = inner if inner.is_dir() else checkpoint
        card = read_card(folder)
        problem = _problem_of(source, folder, card)
        if problem:
            message = f"{folder} cannot be the teacher: {problem}"
            raise InputError(message, "give the checkpoint of the teacher of this student")
        refuse_damaged(folder, card)  # now, and not after the lowering
        return Teacher(folder, sha256=card.weights_sha256, by_user=True)
    if source.card.training.teacher is None:
        return Teacher(None, "the student was trained without a teacher; --teacher DIR names one")
    if source.card.training.teaching.get("members"):
        return Teacher(None, "the student has several teachers; --teacher DIR names one of them")
    reason = "its checkpoint is not beside the student; --teacher DIR names it"
    for folder in _places(source):
        try:
            card = read_card(folder)
        except EdgekdError as error:
            reason = error.message
            continue
        reason = _problem_of(source, folder, card)
        if not reason:
            return Teacher(folder, sha256=card.weights_sha256)
    return Teacher(None, reason)


def teacher_outputs(source: Source, teacher: Teacher) -> TeacherOutputs:
    """The teacher's outputs [N, …] for the student's validation images; kept in the cache.

    Raises:
        ArtefactError: The weights of a teacher that the user named are damaged.
    """
    if teacher.folder is None:
        return TeacherOutputs(None, teacher.reason)
    try:
        return TeacherOutputs(_outputs(source, teacher.folder))
    except EdgekdError as error:
        if teacher.by_user:
            raise
        return TeacherOutputs(None, error.message)


def _outputs(source: Source, folder: Path) -> NDArray[np.float32]:
    card = read_card(folder)
    images = source.images
    if card.image_size != source.card.image_size:
        pixels = decoded_images(source.split.dataset, card.image_size)
        images = np.asarray(pixels[source.split.indices("validation")])
    outputs = kept_outputs(folder, card, images)
    order = [card.classes.index(name) for name in source.card.classes]
    return outputs if order == sorted(order) else outputs[:, order]


def _places(source: Source) -> Iterator[Path]:
    """Folders that may hold the teacher's checkpoint."""
    beside = source.folder.parent / _ROLE
    if (beside / CARD).is_file():
        yield beside
    named = teacher_in_recipe(source.folder)
    if named is not None and (named / CARD).is_file():
        yield named


def teacher_in_recipe(student: Path) -> Path | None:
    """`teacher.checkpoint` of the recipe beside a student's weights; None without one."""
    try:
        recipe = msgspec.json.decode(read_checked(student / _RECIPE))
        return checkpoint_place(recipe["teacher"]["checkpoint"])
    except (EdgekdError, OSError, msgspec.DecodeError, LookupError, TypeError):
        return None  # no recipe, or no teacher in it: the bundle states that none was compared


def _problem_of(source: Source, folder: Path, card: ModelCard) -> str:
    """Why a network cannot be compared with the student; empty where it can."""
    learnt_from = source.card.training.teacher
    teaching = source.card.training.teaching
    members = [each["sha256"] for each in teaching.get("members", ())]
    of_file = teaching.get("teacher", {}).get("sha256")  # which made a file of outputs
    if learnt_from is not None and card.weights_sha256 not in (learnt_from, of_file, *members):
        return "its weights are not those that the student learnt from"
    if not _is_of_classes(card, source.card):
        return "it was trained for another task or other classes"
    if card.imported is not None:
        unknown = "it was imported, and may have seen the validation images"
        return "" if learnt_from is not None else unknown
    if not _holds_out_the_same(source, folder, card):
        return "it was trained on another split, and may have seen the validation images"
    return ""


def _holds_out_the_same(source: Source, folder: Path, card: ModelCard) -> bool:
    """Whether the teacher was trained without the student's validation images."""
    if card.data.sha256 == source.card.data.sha256:
        return True
    return source.own_data is None and holds_out_the_same(folder, card, source.split)


def _is_of_classes(card: ModelCard, student: ModelCard) -> bool:
    """Whether two networks answer the same question; an imported one in any order of classes."""
    if card.task != student.task:
        return False
    in_order = card.classes == student.classes
    return in_order or bool(card.imported and set(card.classes) == set(student.classes))
