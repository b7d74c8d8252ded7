"""`dkd`: decoupled distillation (Zhao et al. 2022, CVPR). Not D-KD of Wang et al.: see `d_kd`."""

from __future__ import annotations

from typing import Annotated

import torch
from msgspec import Meta

from edgekd.distill.losses import non_target_kl, target_kl
from edgekd.distill.methods.base import Batch, Method, Stage, Terms
from edgekd.distill.methods.temperature import Temperature
from edgekd.recipe import Section

__all__ = ["DecoupledDistillation"]

Weight = Annotated[float, Meta(ge=0.0)]


class DecoupledDistillationConfig(Section, frozen=True, kw_only=True):
    """Keys of the method; defaults of the paper's released code on CIFAR-100.

    Attributes:
        temperature: T, or a curriculum.
        ce: Weight of the hard-label loss.
        alpha: Weight of the target class's part.
        beta: Weight of the other classes' part.
        warmup: Epochs over which the distillation terms rise linearly; 0 starts with them whole.
            The released code takes 20 of 240.
    """

    temperature: Temperature = 4.0
    ce: Weight = 1.0
    alpha: Weight = 1.0
    beta: Weight = 8.0
    warmup: Annotated[int, Meta(ge=0)] = 20


class DecoupledDistillation(Method):
    """ce·CE + α·TCKD + β·NCKD."""

    name = "dkd"
    Config = DecoupledDistillationConfig
    config: DecoupledDistillationConfig

    def stages(self) -> tuple[Stage, ...]:
        """One stage: the student."""
        return (
            Stage(
                "student", (self.student, *self.softening_trained), self._objective, self.student
            ),
        )

    def _objective(self, batch: Batch) -> Terms:
        config = self.config
        ramp = min((batch.epoch + 1) / config.warmup, 1.0) if config.warmup else 1.0
        student = self.student(batch.pixels)
        with torch.no_grad():
            teacher = self.guide(batch.pixels)
        temperature = self.softening(student, teacher, batch.epoch)
        logits = (student.float(), teacher.float(), batch.targets, temperature)
        return {
            "ce": config.ce * self.hard_label(student, batch.targets),
            "target": ramp * config.alpha * target_kl(*logits),
            "others": ramp * config.beta * non_target_kl(*logits),
        }
