"""A student that imitates its teacher's numbers: labels and teacher by the same loss."""

from __future__ import annotations

from typing import Annotated

import torch
from msgspec import Meta

from edgekd.distill.methods import Batch, Method, Stage, Terms
from edgekd.recipe import Section


class ImitationConfig(Section, frozen=True, kw_only=True):
    """Keys of the method.

    Attributes:
        weight: λ in (1 − λ)·loss to the labels + λ·mean squared difference to the teacher.
    """

    weight: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.3


class Imitation(Method):
    """(1 − λ)·hard-label loss + λ·(student − teacher)²; serves every task."""

    name = "imitation"
    Config = ImitationConfig
    config: ImitationConfig

    def stages(self) -> tuple[Stage, ...]:
        """One stage: the student."""
        return (Stage("student", (self.student,), self._objective, self.student),)

    def _objective(self, batch: Batch) -> Terms:
        student = self.student(batch.pixels)
        with torch.no_grad():
            teacher = self.required_teacher(batch.pixels)
        weight = self.config.weight
        hard = self.hard_label(student, batch.targets)
        return {
            "hard": (1 - weight) * hard,
            "imitation": weight * (student - teacher).square().mean(),
        }
