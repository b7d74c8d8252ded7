"""`crckd`: a mean teacher with class-guided contrast and relations to class centroids (Xing et al.
2021, MICCAI, "Categorical Relation-Preserving Contrastive Knowledge Distillation for Medical Image
Classification"; arXiv 2107.03225).

It improves a network without making it smaller. The result can teach a smaller network
(`teacher.checkpoint`); `crckd_cross` applies its two terms between two networks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgekd.distill.methods.base import Batch, MethodContext, Stage, Terms
from edgekd.distill.methods.category import CategoryConfig, CategoryTerms
from edgekd.distill.methods.mean_teacher import MeanTeacher, MeanTeacherConfig
from edgekd.distill.task import Trait
from edgekd.models.features import Features, features_of, probe

__all__ = ["CategoryRelationPreserving"]


class CategoryRelationPreservingConfig(MeanTeacherConfig, frozen=True, kw_only=True):
    """Keys of the method: those of `mean_teacher`, and CRCKD's two terms.

    The contrast applies from the first epoch, consistency and relation from `start`.

    In the paper the embeddings take the outputs of a linear layer of 128 units before the
    classifier; here they take the pooled vector, so that the student's architecture is unchanged.

    Attributes:
        category: The two terms.
    """

    category: CategoryConfig = CategoryConfig()


class CategoryRelationPreserving(MeanTeacher):
    """CE + contrast; from `start` on also + ramp·consistency + relation."""

    name = "crckd"
    Config = CategoryRelationPreservingConfig
    config: CategoryRelationPreservingConfig
    requires = MeanTeacher.requires | {Trait.EXCLUSIVE_CLASSES}

    def __init__(
        self,
        config: CategoryRelationPreservingConfig,
        student: nn.Module,
        teacher: nn.Module | None,
        context: MethodContext,
    ) -> None:
        super().__init__(config, student, teacher, context)
        width = probe(student, context.image_size).pooled.shape[1]
        self.category = CategoryTerms(config.category, (width, width), context)

    def stages(self) -> tuple[Stage, ...]:
        """One stage: the student and the embeddings; moving average and banks follow them."""
        category = self.category
        return (
            Stage(
                "student", (self.student, category.embeddings), self._objective, self.student,
                followers=(self.average, category.banks), after_step=self._follow,
            ),
        )  # fmt: skip

    def _follow(self) -> None:
        super()._follow()
        self.category.remember()

    def _objective(self, batch: Batch) -> Terms:
        student = features_of(self.student, batch.pixels)
        with torch.no_grad():
            average = features_of(self.average.network, self.other_view(batch))
        return self.terms(student, average, batch)

    def terms(self, student: Features, average: Features, batch: Batch) -> Terms:
        """The weighted terms of the features of both views."""
        started = self.started(batch)
        terms: dict[str, Tensor] = {"ce": self.hard_label(student.logits, batch.targets)}
        if started:
            terms["consistency"] = self.consistency(student.logits, average.logits, batch)
        return terms | self.category.terms(
            student.pooled, average.pooled, batch.indices, batch.generator, relate=started
        )
