"""CRCKD's two loss terms between two networks (Xing et al. 2021): embeddings, banks, losses."""

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
from edgekd.distill.methods.base import MethodContext, Terms, seeded
from edgekd.distill.methods.memory import Memory, MemoryBanks
from edgekd.recipe import Section

__all__ = ["CategoryConfig", "CategoryTerms"]

Weight = Annotated[float, Meta(ge=0.0)]


class CategoryConfig(Section, frozen=True, kw_only=True):
    """Keys of the two terms; defaults of the released code.

    Attributes:
        contrast: Weight of the class-guided contrast. The README of the released code says 0.1;
            its code applies it twice once the relation has begun, which is not done here.
        relation: Weight of the relation to the class centroids.
        positives: Images of the anchor's class that it is compared with, the anchor among them.
        negatives: Images of other classes.
        temperature: τ of both terms.
        embedding: Width of the unit vectors.
        momentum: Share of a bank's row that remains when its image is seen again.
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
        widths: Widths of the pooled vectors of student and teacher.
        context: The facts of the run.
    """

    def __init__(
        self, config: CategoryConfig, widths: tuple[int, int], context: MethodContext
    ) -> None:
        super().__init__()
        self.config = config
        self.classes = len(context.class_counts)
        with seeded(context.seed):
            student, teacher = (nn.Linear(width, config.embedding) for width in widths)
        self.embeddings = nn.ModuleDict({"student": student, "teacher": teacher})
        self.banks = MemoryBanks(
            context.training_labels, config.embedding, config.momentum, context.seed
        )
        self._pending: tuple[Memory, Tensor] | None = None

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
            teacher: Pooled vectors [B, D′]; gradients flow to their embedding, not to them.
            indices: Positions [B] in the data set.
            generator: Draws the positives and negatives.
            relate: Whether the relation term has begun.
        """
        rows = self.banks.rows(indices)
        config = self.config
        drawn = self.banks.draw(rows, config.positives, config.negatives, generator)
        return self.terms_of(student, teacher.detach(), rows, drawn, relate=relate)

    @full_precision
    def terms_of(
        self, student: Tensor, teacher: Tensor, rows: Tensor, drawn: Tensor, *, relate: bool = True
    ) -> Terms:
        """`terms` for drawn rows: the anchors [B], and what each is compared with [B, P + Q]."""
        config = self.config
        embedded = _unit(self.embeddings["student"](student))
        reference = _unit(self.embeddings["teacher"](teacher))
        memory = self.banks.updated(rows, embedded, reference)
        contrast = self._contrast(embedded, reference, drawn, memory)
        terms = {"contrast": config.contrast * contrast}
        if relate and config.relation:
            terms["relation"] = config.relation * self._relation(embedded, reference, memory)
        return terms

    def _contrast(self, student: Tensor, teacher: Tensor, drawn: Tensor, memory: Memory) -> Tensor:
        """Each network's unit vectors against the other's bank as it was before this step."""
        config, banks = self.config, self.banks
        scores = (
            contrast_scores(student, banks.teacher, drawn, config.temperature),
            contrast_scores(teacher, banks.student, drawn, config.temperature),
        )
        *scaled, scale = banks.scaled(*scores)
        self._pending = (memory, scale)
        losses = [noise_contrast(side, config.positives, len(banks)) for side in scaled]
        return torch.stack(losses).sum()

    def _relation(self, student: Tensor, teacher: Tensor, memory: Memory) -> Tensor:
        near, far = (class_centroids(bank, self.banks.labels, self.classes) for bank in memory)
        return category_relation(student, teacher, near, far, self.config.temperature)

    def remember(self) -> None:
        """Write the vectors of the last batch into the banks."""
        if self._pending is not None:
            self.banks.remember(*self._pending)
            self._pending = None


@full_precision
def _unit(vectors: Tensor) -> Tensor:
    return F.normalize(vectors, dim=1)
