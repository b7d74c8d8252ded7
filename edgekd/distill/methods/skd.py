"""`skd`: distillation of known subclasses (Sajedi & Plataniotis 2021, arXiv 2109.05587; 2022,
arXiv 2207.08063), for data of so few classes that softened class logits carry little information.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta
from torch import Tensor

from edgekd.distill.losses import softened_kl
from edgekd.distill.methods.base import Batch, Stage, Terms
from edgekd.distill.methods.subclass import SubclassMethod, subclass_logits
from edgekd.distill.methods.temperature import Temperature
from edgekd.distill.task import Trait
from edgekd.models.subclasses import SubclassSums
from edgekd.recipe import Section

__all__ = ["SubclassDistillation"]


class SubclassDistillationConfig(Section, frozen=True, kw_only=True):
    """Keys of the method, with the defaults of `kd`: the paper's values were not available.

    Attributes:
        temperature: T of the softened subclass outputs, or a curriculum.
        weight: α in α·T²·KL + (1 − α)·CE; 0 is the method `subclass`.
        hard_label: Whether CE is that of the subclass, or of the class by its summed probability.
    """

    temperature: Temperature = 4.0
    weight: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.7
    hard_label: Literal["subclass", "class"] = "subclass"


class SubclassDistillation(SubclassMethod):
    """α·T²·KL to the teacher's softened subclass outputs + (1 − α)·CE on the labels.

    Teacher and student predict the same subclasses. The student's class probabilities, in
    evaluation as on the device, are sums over their subclasses.
    """

    name = "skd"
    mixes = True
    Config = SubclassDistillationConfig
    requires = SubclassMethod.requires | {Trait.SOFTENED_OUTPUTS}
    config: SubclassDistillationConfig

    def stages(self) -> tuple[Stage, ...]:
        """One stage: the student."""
        trained = (self.student, *self.softening_trained)
        return (Stage("student", trained, self._objective, self.student),)

    @property
    def softened_logits(self) -> int:
        """One for each subclass."""
        return len(self.subclasses.of)

    def term_weights(self) -> dict[str, float]:
        """Those of the recipe."""
        return {"ce": 1 - self.config.weight, "skd": self.config.weight}

    def _objective(self, batch: Batch) -> Terms:
        student = subclass_logits(self.student, batch.pixels)
        teacher = self.teacher_outputs(batch)
        return self.terms(student, teacher, batch)

    def terms(self, student: Tensor, teacher: Tensor, batch: Batch) -> Terms:
        """The weighted terms of a batch's subclass logits [B, S]."""
        config = self.config
        temperature = self.softening(student, teacher, batch.epoch)
        soft = softened_kl(student, teacher, temperature)
        hard = self._hard(student, batch)
        return {"ce": (1 - config.weight) * hard, "skd": config.weight * soft}

    def _hard(self, student: Tensor, batch: Batch) -> Tensor:
        if self.config.hard_label == "subclass":
            return self.subclass_label(student, batch)
        return self.hard_label(SubclassSums(self.subclasses.of)(student), batch.targets)
