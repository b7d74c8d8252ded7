"""CRCKD's two terms between any two networks (Xing et al. 2021): embeddings, banks, losses."""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from msgspec import Meta
from torch import Tensor, nn

from edgekd.distill.losses import (
    category_relation,
    class_centroids,
    contrast_scores,
    noise_contrast,
)
from edgekd.distill.losses.precision import full_precision
from edgekd.distill.methods.base import MethodContext, Terms, own_draws
from edgekd.distill.methods.memory import Memory, MemoryBanks
from edgekd.recipe import Section

__all__ = ["CategoryConfig", "CategoryTerms"]

Weight = Annotated[float, Meta(ge=0.0)]


class CategoryConfig(Section, frozen=True, kw_only=True):
    """Keys of the two terms; defaults of the released code.

    Attributes:
        contrast: Weight of the class-guided contrast. The README of the released code asks for
            0.1; its code applied that twice once the relation had begun, which is not done here.
        relation: Weight of the relation to the class centroids.
        positives: Images of the anchor's class that it is held against, itself among them.
        negatives: Images of other classes.
        temperature: τ of both terms.
        embedding: Width of the unit vectors.
        momentum: Share of a bank's row that stays when its image comes again.
    """

    contrast: Weight = 0.1
    relation: Weight = 1.0
    positives: Annotated[int, Meta(ge=1)] = 20
    negatives: Annotated[int, Meta(ge=1)] = 4096
    temperature: Annotated[float, Meta(gt=0.0)] = 0.07
    embedding: Annotated[int, Meta(ge=1)] = 128
    momentum: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.5


class CategoryTerms(nn.Module):
    """The class-guided contrast and the categorical relation, on pooled vectors.

    Args:
        config: Weights and sizes.
        widths: Of the pooled vectors of student and teacher.
        context: Of the method.
    """

    def __init__(
        self, config: CategoryConfig, widths: tuple[int, int], context: MethodContext
    ) -> None:
        super().__init__()
        self.config = config
        self.classes = len(context.class_counts)
        with own_draws(context.seed):
            own, guide = (nn.Linear(width, config.embedding) for width in widths)
        self.embeddings = nn.ModuleDict({"student": own, "teacher": guide})
        self.banks = MemoryBanks(
            context.training_labels, config.embedding, config.momentum, context.seed
        )
        self._seen: tuple[Memory, Tensor] | None = None

    def terms(
        self,
        student: Tensor,
        teacher: Tensor,
        indices: Tensor,
        generator: torch.Generator,
        *,
        relate: bool = True,
    ) -> Terms:
        """The weighted terms of a batch; the banks change with `remember`.

        Args:
            student: Pooled vectors [B, D].
            teacher: Pooled vectors [B, D′]; no gradient flows to them, but to their embedding.
            indices: Positions [B] in the data set.
            generator: For the draw of positives and negatives.
            relate: Whether the relation counts already.
        """
        rows = self.banks.rows(indices)
        config = self.config
        drawn = self.banks.draw(rows, config.positives, config.negatives, generator)
        return self.terms_of(student, teacher.detach(), rows, drawn, relate=relate)

    @full_precision
    def terms_of(
        self, student: Tensor, teacher: Tensor, rows: Tensor, drawn: Tensor, *, relate: bool = True
    ) -> Terms:
        """`terms` with the draw made: rows of the anchors [B], and theirs [B, P + Q]."""
        config = self.config
        own = _unit(self.embeddings["student"](student))
        guide = _unit(self.embeddings["teacher"](teacher))
        memory = self.banks.updated(rows, own, guide)
        terms = {"contrast": config.contrast * self._contrast(own, guide, drawn, memory)}
        if relate and config.relation:
            terms["relation"] = config.relation * self._relation(own, guide, memory)
        return terms

    def _contrast(self, own: Tensor, guide: Tensor, drawn: Tensor, memory: Memory) -> Tensor:
        """Each network's vectors against the other's bank as it was before this step."""
        config, banks = self.config, self.banks
        scores = (
            contrast_scores(own, banks.teacher, drawn, config.temperature),
            contrast_scores(guide, banks.student, drawn, config.temperature),
        )
        *scaled, scale = banks.scaled(*scores)
        self._seen = (memory, scale)
        losses = [noise_contrast(side, config.positives, len(banks)) for side in scaled]
        return torch.stack(losses).sum()

    def _relation(self, own: Tensor, guide: Tensor, memory: Memory) -> Tensor:
        near, far = (class_centroids(bank, self.banks.labels, self.classes) for bank in memory)
        return category_relation(own, guide, near, far, self.config.temperature)

    def remember(self) -> None:
        """Take what the last batch was seen as into the banks."""
        if self._seen is not None:
            self.banks.remember(*self._seen)
            self._seen = None


@full_precision
def _unit(vectors: Tensor) -> Tensor:
    return F.normalize(vectors, dim=1)
