"""What methods without images have in common: what they need of a teacher and of a batch."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from edgekd.distill.methods.base import Method, MethodContext, TeacherBy
from edgekd.distill.synthesis.teacher_statistics import TeacherStatistics
from edgekd.distill.task import Trait
from edgekd.errors import InputError

__all__ = ["DataFree", "evaluating"]


class DataFree(Method, ABC):
    """Base of methods whose images a generator makes, by what the teacher remembers of its own.

    Attributes:
        remembered: The statistics of the teacher's batch norm.

    Raises:
        InputError: The teacher has no batch norm, or a batch cannot show every class.
    """

    requires = frozenset({Trait.SOFTENED_OUTPUTS, Trait.EXCLUSIVE_CLASSES, Trait.IMAGE_LEVEL})
    needs_images = False

    @classmethod
    def teacher_by(cls, config: Any) -> TeacherBy:
        """Gradients through its layers."""
        return "gradients"

    def __init__(
        self, config: Any, student: nn.Module, teacher: nn.Module | None, context: MethodContext
    ) -> None:
        super().__init__(config, student, teacher, context)
        self.remembered = TeacherStatistics(self.required_teacher, 0.0, self.name)
        size, classes = context.fit.batch_size, len(context.class_counts)
        if size < classes:
            message = (
                f"batches of {size} images cannot show all {classes} classes, whose statistics "
                "together are what the teacher remembers"
            )
            raise InputError(message, f"raise `fit.batch_size` to {classes} or more")


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode within the block: its running statistics stay."""
    training = network.training
    network.eval()
    yield
    network.train(training)
