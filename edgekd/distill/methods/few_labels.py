"""What methods for few labels share: the classes and the unlabelled images that they demand."""

from __future__ import annotations

from edgekd.distill.methods.base import MethodContext
from edgekd.distill.samples.sample_kinds import UnlabelledPool
from edgekd.distill.task import Trait
from edgekd.errors import InputError

__all__ = ["refuse_one_class", "required_unlabelled"]


def refuse_one_class(name: str, context: MethodContext) -> None:
    """Refuse labels of a single class for the method `name`.

    Raises:
        InputError: All labelled training images are of one class.
    """
    if Trait.EXCLUSIVE_CLASSES in context.task.traits and sum(map(bool, context.class_counts)) < 2:
        message = f"the method {name} learns classes, and all labelled training images are of one"
        raise InputError(message, "label images of a second class, or raise `split.train_share`")


def required_unlabelled(name: str, context: MethodContext, ratio: int) -> UnlabelledPool:
    """The unlabelled images of a run, in batches of `ratio` times the labelled ones.

    Raises:
        InputError: The run of the method `name` has none, or all labels are of one class.
    """
    refuse_one_class(name, context)
    if not context.unlabelled_images:
        message = f"the method {name} learns from unlabelled images, and the recipe names none"
        hint = "add `data: {unlabelled: {folder: DIR}}`, or `{left_out: true}` and a "
        raise InputError(message, hint + "`split.train_share` below 1")
    return UnlabelledPool(context.unlabelled_images, ratio)
