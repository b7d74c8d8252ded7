"""`none`: no images, where they may not leave; the classes are those of the teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from edgekd.data.dataset import Dataset
from edgekd.data.task import data_task
from edgekd.errors import InputError
from edgekd.recipe import Section

__all__ = ["Config", "load"]


class Config(Section, frozen=True, kw_only=True):
    """Keys of the source.

    Attributes:
        classes: Class names, in the order of the student's outputs: those of the teacher.
        ordered: The classes are grades, each one worse than the one before.
    """

    classes: Annotated[tuple[str, ...], Meta(min_length=1)]
    ordered: bool = False


def load(config: Config, task: str) -> Dataset:
    """A data set without images.

    Raises:
        InputError: There are fewer classes than the task needs, or one twice.
    """
    classes, least = config.classes, data_task(task).least_classes
    if len(classes) < least or len(set(classes)) < len(classes):
        message = f"`data.classes` is {', '.join(classes)}: {least} different ones are needed"
        raise InputError(message, "list the teacher's classes, each once")
    return Dataset("none", Path(), classes, (), ordered=config.ordered, task=task)
