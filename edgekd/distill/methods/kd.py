"""`kd`: classic distillation of softened logits (Hinton, Vinyals, Dean 2015)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from edgekd.distill.methods.base import Batch, Method, Stage, Terms
from edgekd.distill.methods.temperature import Temperature
from edgekd.distill.task import Trait
from edgekd.recipe import Balancing, Section

__all__ = ["ClassicDistillation"]


class ClassicDistillationConfig(Section, frozen=True, kw_only=True):
    """Keys of the method.

    Attributes:
        temperature: T of the softened outputs. The paper tried 1 to 20; 4 is the value that the
            later literature agreed on (e.g. Tian et al. 2020, "Contrastive Representation
            Distillation", section 4). Or a curriculum (`{curriculum: global}`).
        weight: λ in (1 − λ)·CE + λ·T²·KL.
        weigh_classes: Weight each sample's KL by its class, as in the hard-label loss. Without
            it the images of a majority class dominate what is learnt from the teacher.
        balance: Weigh the classes within each softened output of the teacher, against its belief in
            frequent ones (Zhang et al. 2023, who take `effective`, T = 2 and a hard-label loss
            without class weights).
    """

    temperature: Temperature = 4.0
    weight: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.7
    weigh_classes: bool = False
    balance: Balancing = "none"

    def __post_init__(self) -> None:
        """Refuse to correct the same imbalance twice."""
        if self.weigh_classes and self.balance != "none":
            raise ValueError("weigh_classes and balance correct the same imbalance; choose one")


class ClassicDistillation(Method):
    """(1 − λ)·CE on the labels + λ·T²·KL to the teacher's softened outputs."""

    name = "kd"
    mixes = True
    Config = ClassicDistillationConfig
    config: ClassicDistillationConfig
    requires = frozenset({Trait.SOFTENED_OUTPUTS})

    def stages(self) -> tuple[Stage, ...]:
        """One stage: the student."""
        return (
            Stage(
                "student", (self.student, *self.softening_trained), self._objective, self.student
            ),
        )

    def term_weights(self) -> dict[str, float]:
        """Those of the recipe."""
        return {"ce": 1 - self.config.weight, "kd": self.config.weight}

    def _objective(self, batch: Batch) -> Terms:
        config = self.config
        student = self.student(batch.pixels)
        teacher = self.teacher_outputs(batch)
        weights = None
        if config.weigh_classes:
            weights = self.sample_weights(batch.targets)
        hard = self.hard_label(student, batch.targets)
        temperature = self.softening(student, teacher, batch.epoch)
        soft = self.softened_loss(student, teacher, temperature, weights)
        return {"ce": (1 - config.weight) * hard, "kd": config.weight * soft}
