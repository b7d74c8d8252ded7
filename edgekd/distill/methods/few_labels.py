"""What methods for few labels share: the images without labels that they demand."""

from __future__ import annotations

from edgekd.distill.methods.base import MethodContext
from edgekd.distill.samples.sample_kinds import UnlabelledPool
from edgekd.errors import InputError

__all__ = ["required_unlabelled"]


def required_unlabelled(name: str, context: MethodContext, ratio: int) -> UnlabelledPool:
    """The unlabelled images of a run, in batches of `ratio` times the labelled ones.

    Raises:
        InputError: The run of the method `name` has none.
    """
    if not context.unlabelled_images:
        message = f"the method {name} learns from unlabelled images, and the recipe names none"
        hint = "add `data: {unlabelled: {folder: DIR}}`, or `{left_out: true}` and a "
        raise InputError(message, hint + "`split.train_share` below 1")
    return UnlabelledPool(context.unlabelled_images, ratio)
