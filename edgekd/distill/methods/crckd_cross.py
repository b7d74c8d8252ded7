"""`crckd_cross`: CRCKD's two terms between a big teacher and a small student (after Xing et al.
2021, MICCAI; arXiv 2107.03225, whose two networks are of one size).
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from torch import nn

from edgekd.distill.methods.base import (
    Batch,
    Method,
    MethodContext,
    Stage,
    TeacherBy,
    Terms,
)
from edgekd.distill.methods.category import CategoryConfig, CategoryTerms
from edgekd.distill.task import Trait
from edgekd.models.features import Features, features_of, probe
from edgekd.recipe import Section

__all__ = ["CategoryRelationTransfer"]


class CategoryRelationTransferConfig(Section, frozen=True, kw_only=True):
    """Keys of the method.

    Attributes:
        ce: Weight of the hard-label loss.
        consistency: Weight of the KL at temperature 1 to the teacher's outputs (in CRCKD, to those
            of the moving average). With 0 only the two terms remain.
        category: CRCKD's two terms.
    """

    ce: Annotated[float, Meta(ge=0.0)] = 1.0
    consistency: Annotated[float, Meta(ge=0.0)] = 1.0
    category: CategoryConfig = CategoryConfig()


class CategoryRelationTransfer(Method):
    """ce·CE + consistency·KL + contrast + relation, all from the first epoch.

    The teacher is already trained and frozen, so no term has to start late. It sees the student's
    view; its bank follows its embedding, which is trained.
    """

    name = "crckd_cross"
    Config = CategoryRelationTransferConfig
    config: CategoryRelationTransferConfig
    requires = frozenset({Trait.SOFTENED_OUTPUTS, Trait.EXCLUSIVE_CLASSES})

    @classmethod
    def teacher_by(cls, config: CategoryRelationTransferConfig) -> TeacherBy:
        """Pooled vectors and outputs."""
        return "pooled"

    def __init__(
        self,
        config: CategoryRelationTransferConfig,
        student: nn.Module,
        teacher: nn.Module | None,
        context: MethodContext,
    ) -> None:
        super().__init__(config, student, teacher, context)
        features = (probe(student, context.image_size), self.probe_teacher())
        width, teacher_width = (each.pooled.shape[1] for each in features)
        self.category = CategoryTerms(config.category, (width, teacher_width), context)

    def stages(self) -> tuple[Stage, ...]:
        """One stage: the student and the embeddings; the banks follow them."""
        category = self.category
        return (
            Stage(
                "student", (self.student, category.embeddings), self._objective, self.student,
                followers=(category.banks,), after_step=category.remember,
            ),
        )  # fmt: skip

    def term_weights(self) -> dict[str, float]:
        """Those of the recipe."""
        return {"ce": self.config.ce, "consistency": self.config.consistency}

    def _objective(self, batch: Batch) -> Terms:
        student = features_of(self.student, batch.pixels)
        teacher = self.teacher_features(batch)
        return self.terms(student, teacher, batch)

    def terms(self, student: Features, teacher: Features, batch: Batch) -> Terms:
        """The weighted terms of the features of both networks."""
        config = self.config
        terms = {"ce": config.ce * self.hard_label(student.logits, batch.targets)}
        if config.consistency:
            divergence = self.softened_loss(student.logits, teacher.logits, 1.0)
            terms["consistency"] = config.consistency * divergence
        return terms | self.category.terms(
            student.pooled, teacher.pooled, batch.indices, batch.generator
        )
