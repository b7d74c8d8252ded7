"""`at`: attention transfer (Zagoruyko, Komodakis 2017, ICLR)."""

from __future__ import annotations

from typing import Annotated

import torch
from msgspec import Meta

from edgekd.distill.losses import attention_transfer
from edgekd.distill.methods.base import Batch, Method, Stage, Terms
from edgekd.models.taps import tapped
from edgekd.recipe import Section

__all__ = ["AttentionTransfer"]


class AttentionTransferConfig(Section, frozen=True, kw_only=True):
    """Keys of the method.

    Attributes:
        weight: β, with half of which the paper weighs the maps' difference. 1000 is the released
            code's, which takes the mean over the positions as we do.
    """

    weight: Annotated[float, Meta(ge=0.0)] = 1000.0


class AttentionTransfer(Method):
    """CE + β/2 · mean squared difference of the last maps' attention.

    The paper compares a map of every stage; only the last one is tapped here.
    """

    name = "at"
    Config = AttentionTransferConfig
    config: AttentionTransferConfig

    def stages(self) -> tuple[Stage, ...]:
        """One stage: the student."""
        return (Stage("student", (self.student,), self._objective, self.student),)

    def _objective(self, batch: Batch) -> Terms:
        student = tapped(self.student, batch.pixels)
        with torch.no_grad():
            teacher = tapped(self.guide, batch.pixels)
        attention = attention_transfer(student.features, teacher.features)
        return {
            "ce": self.hard_label(student.logits, batch.targets),
            "attention": self.config.weight / 2.0 * attention,
        }
