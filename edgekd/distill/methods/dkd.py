"""`dkd`: decoupled distillation (Zhao et al. 2022, CVPR). Not D-KD of Wang et al.: see `d_kd`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from edgekd.distill.losses import non_target_kl, target_kl
from edgekd.distill.methods.base import Batch, Method, Stage, Terms
from edgekd.distill.methods.temperature import Temperature
from edgekd.distill.task import Trait
from edgekd.recipe import Section

__all__ = ["DecoupledDistillation"]

Weight = Annotated[float, Meta(ge=0.0)]


class DecoupledDistillationConfig(Section, frozen=True, kw_only=True):
    """Keys of the method; defaults of the paper's released code (mdistiller) on CIFAR-100.

    Attributes:
        temperature: T, or a curriculum. The released code takes 4 on CIFAR-100 and 1 on ImageNet.
        ce: Weight of the hard-label loss.
        alpha: Weight of the target class's part.
        beta: Weight of the other classes' part. The released code sets it for each pair of
            networks: 1, 2, 6 or 8 on CIFAR-100, higher for a more confident teacher, and 0.5 on
            ImageNet. 8 is its default: try lower values if the teacher's logits are close together.
        warmup: Share of the epochs in which the distillation terms rise linearly; 0 starts at full
            weight. The released code takes 20 epochs of 240 on CIFAR-100, 1 of 100 on ImageNet.
    """

    temperature: Temperature = 4.0
    ce: Weight = 1.0
    alpha: Weight = 1.0
    beta: Weight = 8.0
    warmup: Weight = 20 / 240

    def __post_init__(self) -> None:
        """Refuse a number of epochs, the unit of earlier versions."""
        if self.warmup >= 1.0:
            wrong = f"{self.warmup:g} is not a share of the epochs; for 20 of 240 write 0.083"
            raise ValueError(f"{wrong}: `warmup` is no longer counted in epochs")


class DecoupledDistillation(Method):
    """ce·CE + α·TCKD + β·NCKD."""

    name = "dkd"
    Config = DecoupledDistillationConfig
    config: DecoupledDistillationConfig
    requires = frozenset({Trait.SOFTENED_OUTPUTS, Trait.EXCLUSIVE_CLASSES})

    def stages(self) -> tuple[Stage, ...]:
        """One stage: the student."""
        return (
            Stage(
                "student", (self.student, *self.softening_trained), self._objective, self.student
            ),
        )

    def term_weights(self) -> dict[str, float]:
        """Those of the recipe."""
        return {"ce": self.config.ce, "target": self.config.alpha, "others": self.config.beta}

    def _objective(self, batch: Batch) -> Terms:
        config = self.config
        rise = self._rise(batch.epoch)
        student = self.student(batch.pixels)
        teacher = self.teacher_outputs(batch)
        temperature = self.softening(student, teacher, batch.epoch)
        logits = (student.float(), teacher.float(), batch.unmixed_targets, temperature)
        return {
            "ce": config.ce * self.hard_label(student, batch.targets),
            "target": rise * config.alpha * target_kl(*logits),
            "others": rise * config.beta * non_target_kl(*logits),
        }

    def _rise(self, epoch: int) -> float:
        """Share of the distillation terms' weight in an epoch, counted from 0."""
        length = self.config.warmup * self.context.fit.epochs
        return min((epoch + 1) / length, 1.0) if length else 1.0
