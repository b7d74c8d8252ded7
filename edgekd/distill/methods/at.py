"""`at`: attention transfer (Zagoruyko, Komodakis 2017, ICLR)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from torch import nn

from edgekd.distill.losses import attention_transfer
from edgekd.distill.methods.base import (
    Batch,
    Method,
    MethodContext,
    Stage,
    TeacherBy,
    Terms,
)
from edgekd.models.features import features_of, probe
from edgekd.recipe import Section

__all__ = ["AttentionTransfer"]


class AttentionTransferConfig(Section, frozen=True, kw_only=True):
    """Keys of the method.

    Attributes:
        weight: β, the factor of a mean over images and positions, as in the released code, whose
            experiments take 1000; the paper has β/2 before a distance.
    """

    weight: Annotated[float, Meta(ge=0.0)] = 1000.0


class AttentionTransfer(Method):
    """CE + β · mean squared difference of the last maps' attention.

    Paper and code sum over a map of every stage; here only the last map is compared.
    """

    name = "at"
    mixes = True
    Config = AttentionTransferConfig
    config: AttentionTransferConfig

    @classmethod
    def teacher_by(cls, config: AttentionTransferConfig) -> TeacherBy:
        """Maps."""
        return "maps"

    def __init__(
        self,
        config: AttentionTransferConfig,
        student: nn.Module,
        teacher: nn.Module | None,
        context: MethodContext,
    ) -> None:
        super().__init__(config, student, teacher, context)
        probe(student, context.image_size)  # fails now rather than in the first step
        self.probe_teacher()

    def stages(self) -> tuple[Stage, ...]:
        """One stage: the student."""
        return (Stage("student", (self.student,), self._objective, self.student),)

    def _objective(self, batch: Batch) -> Terms:
        student = features_of(self.student, batch.pixels)
        teacher = self.teacher_features(batch)
        attention = attention_transfer(student.features, teacher.features)
        return {
            "ce": self.hard_label(student.logits, batch.targets),
            "attention": self.config.weight * attention,
        }
