"""What methods without images have in common: what they need of a teacher and of a batch."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

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
        InputError: The teacher has no batch norm, a batch cannot show every class, or `fit` has a
            loss on labels that the method would leave out.
    """

    requires = frozenset({Trait.SOFTENED_OUTPUTS, Trait.EXCLUSIVE_CLASSES, Trait.IMAGE_LEVEL})
    needs_images = False
    learns_preset_classes: ClassVar[bool] = False
    """Whether the student learns the classes that images are made for, by the loss of `fit`."""

    @classmethod
    def teacher_by(cls, config: Any) -> TeacherBy:
        """Gradients through its layers."""
        return "gradients"

    def __init__(
        self, config: Any, student: nn.Module, teacher: nn.Module | None, context: MethodContext
    ) -> None:
        super().__init__(config, student, teacher, context)
        self._refuse_losses()
        self.remembered = TeacherStatistics(self.required_teacher, 0.0, f"the method {self.name}")
        size, classes = context.fit.batch_size, len(context.class_counts)
        if size < classes:
            message = (
                f"batches of {size} images cannot show all {classes} classes, whose statistics "
                "together are what the teacher remembers"
            )
            raise InputError(message, f"raise `fit.batch_size` to {classes} or more")

    def _refuse_losses(self) -> None:
        """Refuse what `fit` would change in a loss on labels that there is not."""
        if self.adjustment is not None:
            message = (
                f"the method {self.name} makes images of every class as often, which leaves "
                "nothing for logit adjustment"
            )
            raise InputError(message, "set `student.fit.logit_adjustment` to 0")
        if self.context.fit.hard_loss.name != "cross_entropy" and not self.learns_preset_classes:
            message = f"the method {self.name} learns without labels: it takes no loss on them"
            raise InputError(message, "remove `student.fit.loss`")


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode within the block: its running statistics stay.

    After it each module has its own mode again: on the int8 grid a student in training has batch
    norm in evaluation mode.
    """
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
