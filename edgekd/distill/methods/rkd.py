"""`rkd`: relations between the samples of a batch (Park et al. 2019, CVPR)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from torch import nn

from edgekd.distill.losses import angle_relation, distance_relation
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

__all__ = ["RelationalDistillation"]

Weight = Annotated[float, Meta(ge=0.0)]


class RelationalDistillationConfig(Section, frozen=True, kw_only=True):
    """Keys of the method.

    The ratio of distance to angle is 1 : 2 in all of the authors' code. For metric learning,
    without a hard-label loss, the weights are 1 and 2; beside the cross-entropy of a classifier
    they are 25 and 50, in the authors' script for CIFAR as in mdistiller and in the code of SSD-KD.
    That script also normalises features to unit length and adds softened outputs; both are left
    out here.

    Attributes:
        ce: Weight of the hard-label loss.
        distance: λ_D of the pairwise distances.
        angle: λ_A of the angles of triples.
    """

    ce: Weight = 1.0
    distance: Weight = 25.0
    angle: Weight = 50.0


class RelationalDistillation(Method):
    """ce·CE + distance·L_D + angle·L_A on the pooled vectors."""

    name = "rkd"
    mixes = True
    Config = RelationalDistillationConfig
    config: RelationalDistillationConfig

    @classmethod
    def teacher_by(cls, config: RelationalDistillationConfig) -> TeacherBy:
        """Pooled vectors."""
        return "pooled"

    def __init__(
        self,
        config: RelationalDistillationConfig,
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

    def term_weights(self) -> dict[str, float]:
        """Those of the recipe."""
        return {"ce": self.config.ce}

    def _objective(self, batch: Batch) -> Terms:
        config = self.config
        student = features_of(self.student, batch.pixels)
        teacher = self.teacher_features(batch)
        pooled = (student.pooled, teacher.pooled)
        return {
            "ce": config.ce * self.hard_label(student.logits, batch.targets),
            "distance": config.distance * distance_relation(*pooled),
            "angle": config.angle * angle_relation(*pooled),
        }
