"""A finished run of another recipe in the same folder: refused, or replaced by demand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from edgekd.distill.runs.record import RECIPE, Role
from edgekd.errors import ArtefactError, InputError
from edgekd.models import ModelCard, read_card
from edgekd.recipe import Recipe, TeacherSection
from edgekd.recipe.differences import differences
from edgekd.seals import flaws_of

__all__ = ["RunFacts", "is_finished", "loss_of", "refuse_other_recipe", "refuse_replacing"]

_HINT = "choose another --out; or give --force, and the finished run is replaced"
_SHOWN = 3
_UNNAMED = "something else is another: images, precision of the teacher, or version of edgekd"
_SECTIONS = ("task", "seed", "image_size", "split", "augment")
"""Sections of a recipe that weights depend on, beside those of the role; not `data`, since images
may move, nor `trainer`, most of which changes no weight."""
_TEACHING = ("average", "views", "engine", "cache")
"""Keys of a teacher that its student's weights depend on; its network is compared by its hash."""


def refuse_other_recipe(
    folder: Path, recipe: Recipe, role: Role, method: dict[str, Any] | None
) -> None:
    """Refuse to train into a folder with the finished run of another recipe, before any work.

    Data and teachers are compared later, once they are read: see `what_differs`.

    Args:
        folder: Folder of the network.
        recipe: The recipe.
        role: The role that is trained.
        method: Name and options of the method as resolved; None where the data decide on it.

    Raises:
        InputError: They differ; the message has the keys and both values.
    """
    if is_finished(folder) and (text := _differences(folder, recipe, role, method)):
        raise _refusal(folder, text)


def refuse_replacing(
    folder: Path, recipe: Recipe, role: Role, method: dict[str, Any], facts: RunFacts
) -> None:
    """Refuse to replace a finished run that depends on something else than the new one.

    Raises:
        InputError: There is one; the message has what differs.
    """
    if not is_finished(folder):
        return
    text = _differences(folder, recipe, role, method)
    raise _refusal(folder, text or facts.differences(_card_of(folder)))


def loss_of(folder: Path) -> str:
    """What goes where the finished run in a folder is replaced, in words."""
    card = _card_of(folder)
    if card is None:
        return f"{folder} is replaced"
    training = card.training
    text = (
        f"{folder} is replaced: {card.arch}, method {training.method}, {training.epochs} epochs, "
        f"seed {training.seed}, weights {card.weights_sha256[:12]}"
    )
    bundles = folder.parent / "bundles"
    return f"{text}; the bundles in {bundles} were built from it" if bundles.is_dir() else text


def is_finished(folder: Path) -> bool:
    """Whether a folder has a run that is whole."""
    return not flaws_of(folder)


@dataclass(frozen=True)
class RunFacts:
    """What weights depend on beside the recipe.

    Attributes:
        data: Hash of the list of images, labels and parts.
        teacher: Hash of the teacher's weights; None without one.
        precision: The precision of the run.
    """

    data: str
    teacher: str | None
    precision: str

    def differences(self, card: ModelCard | None) -> str:
        """What an earlier run had otherwise, in words."""
        if card is None:
            return "another version of edgekd wrote it"
        training = card.training
        pairs = {
            "the list of images, labels and parts is another": (self.data, card.data.sha256),
            "the teacher is another": (self.teacher, training.teacher),
            f"the precision is {training.precision} there and {self.precision} here": (
                self.precision, training.precision,
            ),
        }  # fmt: skip
        texts = [text for text, (now, before) in pairs.items() if now != before]
        return "; ".join(texts) or _UNNAMED


def _refusal(folder: Path, text: str) -> InputError:
    return InputError(f"{folder} has a finished run of another recipe: {text}", _HINT)


def _card_of(folder: Path) -> ModelCard | None:
    try:
        return read_card(folder)
    except (ArtefactError, InputError):
        return None


def _differences(folder: Path, recipe: Recipe, role: Role, method: dict[str, Any] | None) -> str:
    """The keys in which the earlier run's recipe differs from the new one, with both values."""
    earlier, card = _recipe_of(folder), _card_of(folder)
    if earlier is None or card is None:
        return ""
    before, now = (_relevant(each, role) for each in (earlier, recipe))
    if method is not None:
        before["method"] = {"name": card.training.method, **card.training.options}
        now["method"] = msgspec.json.decode(msgspec.json.encode(method))  # lists, as it is kept
    if card.training.teacher is not None:
        for section, each in ((before, earlier), (now, recipe)):
            section["teacher"] = _teaching(each)
    texts = [each.text("there", "here") for each in differences(before, now)]
    more = f", and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return f"{'; '.join(texts[:_SHOWN])}{more}"


def _recipe_of(folder: Path) -> Recipe | None:
    """The recipe that a run recorded; None where this edgekd does not read it."""
    try:
        return msgspec.json.decode((folder / RECIPE).read_bytes(), type=Recipe)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _relevant(recipe: Recipe, role: Role) -> dict[str, Any]:
    """The plain values of a recipe that the weights of a role depend on."""
    plain: dict[str, Any] = msgspec.to_builtins(recipe)
    section = plain[role] or {}
    kept: dict[str, Any] = {name: plain[name] for name in _SECTIONS}
    kept[role] = {name: section.get(name) for name in ("model", "fit")}
    if role == "student":
        kept["finish"] = plain["finish"]
    return kept


def _teaching(recipe: Recipe) -> dict[str, Any]:
    plain = msgspec.to_builtins(recipe.teacher or TeacherSection())
    return {name: plain[name] for name in _TEACHING}
