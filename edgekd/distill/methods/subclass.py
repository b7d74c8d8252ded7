"""`subclass`: plain supervised training on subclass labels; decisions by summed probability.

Teachers are trained by it if the data have subclasses. For a student it is the control of `skd`:
the effect of the finer labels without a teacher.
"""

from __future__ import annotations

from torch import Tensor, nn

from edgekd.distill.methods.base import Batch, Method, MethodContext, Stage, Subclasses, Terms
from edgekd.distill.task import Trait
from edgekd.errors import InputError
from edgekd.models import NormalisedNetwork
from edgekd.recipe import Section

__all__ = ["SubclassMethod", "SubclassSupervised", "subclass_logits"]


class SubclassMethod(Method):
    """Base of the methods whose student predicts subclasses.

    What balances the loss is that of each subclass's class. Subclasses balanced among each other
    would say each class as often as it has subclasses, since a class's probability is their sum.

    Raises:
        InputError: The data have no subclasses.
    """

    learns_subclasses = True
    requires = frozenset({Trait.SUBCLASSES})
    subclass_labels: Tensor
    subclass_weights: Tensor
    subclass_adjustment: Tensor | None

    def __init__(
        self, config: Section, student: nn.Module, teacher: nn.Module | None, context: MethodContext
    ) -> None:
        super().__init__(config, student, teacher, context)
        of = list(self.subclasses.of)
        adjustment = None if context.adjustment is None else context.adjustment[of]
        self.register_buffer("subclass_labels", self.subclasses.labels, persistent=False)
        self.register_buffer("subclass_weights", context.class_weights[of], persistent=False)
        self.register_buffer("subclass_adjustment", adjustment, persistent=False)

    @property
    def subclasses(self) -> Subclasses:
        """The subclasses of the data."""
        if self.context.subclasses is None:
            message = f"the method {self.name} needs subclass labels, and the data have none"
            raise InputError(message, "add `subclasses` to the recipe's `data`")
        return self.context.subclasses

    def subclass_label(self, outputs: Tensor, batch: Batch) -> Tensor:
        """The hard-label loss on subclass logits [B, S], balanced by classes as `fit` says."""
        targets = batch.mixed(self.subclass_labels[batch.indices])
        return self.label_loss(outputs, targets, self.subclass_weights, self.subclass_adjustment)


class SubclassSupervised(SubclassMethod):
    """Weighted cross-entropy on the subclass labels."""

    name = "subclass"
    mixes = True
    needs_teacher = False

    def stages(self) -> tuple[Stage, ...]:
        """One stage: the network itself."""
        return (Stage("supervised", (self.student,), self._objective, self.student),)

    def _objective(self, batch: Batch) -> Terms:
        return {"ce": self.subclass_label(subclass_logits(self.student, batch.pixels), batch)}


def subclass_logits(network: nn.Module, pixels: Tensor) -> Tensor:
    """Subclass logits [B, S] of a network.

    Raises:
        InputError: The network predicts classes.
    """
    if not isinstance(network, NormalisedNetwork) or not network.subclass_of:
        message = f"{type(network).__name__} predicts classes, not subclasses"
        raise InputError(message, "train it on data with subclasses")
    return network.outputs(pixels)
