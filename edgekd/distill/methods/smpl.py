"""`smpl`: self meta pseudo labels (Ng & Wang 2022, arXiv 2212.13420): one network labels images for
itself, and learns by how much that helped on the labelled ones.

No code was released; constants that the paper shares with meta pseudo labels are those of Pham et
al. 2021 (arXiv 2003.10580) for CIFAR-10 and of UDA (Xie et al. 2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from msgspec import Meta
from torch import Tensor, nn

from edgekd.distill.losses import sharpened_consistency, weighted_cross_entropy
from edgekd.distill.methods.base import (
    Batch,
    Labelled,
    Method,
    MethodContext,
    Player,
    Players,
    Several,
    Stage,
    Terms,
    UnlabelledBatch,
)
from edgekd.distill.methods.few_labels import required_unlabelled
from edgekd.distill.task import Trait
from edgekd.recipe import AugmentSection, Section

__all__ = ["SelfMetaPseudoLabels", "SelfMetaPseudoLabelsConfig"]

Weight = Annotated[float, Meta(ge=0.0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class SelfMetaPseudoLabelsConfig(Section, frozen=True, kw_only=True):
    """Keys of the method.

    Attributes:
        ratio: μ, unlabelled images for each labelled one of a batch.
        feedback: Weight of the pseudo labels' loss in the second step, times what the first step
            took from the labelled loss.
        consistency: Weight of UDA's term.
        ramp: Share of the epochs over which the weight of that term rises (5,000 of 300,000 steps).
        temperature: T by which UDA sharpens the weak view's prediction.
        threshold: Confidence below which an image has no part in that term.
        weak: Changes of the unlabelled images that are labelled. The labelled ones are changed by
            the recipe's `augment`.
        strong: Changes of the same images when they are learnt from.
    """

    ratio: Annotated[int, Meta(ge=1)] = 7
    feedback: Weight = 1.0
    consistency: Weight = 8.0
    ramp: Share = 1 / 60
    temperature: Annotated[float, Meta(gt=0.0)] = 0.7
    threshold: Share = 0.6
    weak: AugmentSection = AugmentSection(colour=0.0)
    strong: AugmentSection = AugmentSection(policy="trivial", erase=0.5)


@dataclass(frozen=True)
class _Outputs:
    """Logits of the labelled images, and of both views of the unlabelled ones."""

    labelled: Tensor
    weak: Tensor
    strong: Tensor


class SelfMetaPseudoLabels(Method):
    """Two steps of one network for each batch.

    1. Down CE(strong view, ŷ), where ŷ is the network's own class of the weak view.
    2. Down CE of the labelled images + ramp·consistency·UDA + feedback·h·CE(strong view, ŷ), with
       h = L(before step 1) − L(after it) of the labelled images: pseudo labels that helped are
       followed further, others are taken back.

    Both are ordinary steps of the same optimiser. Every pass sees all three kinds of images, which
    share the statistics of batch norm.
    """

    name = "smpl"
    Config = SelfMetaPseudoLabelsConfig
    needs_teacher = False
    takes_unlabelled = True
    config: SelfMetaPseudoLabelsConfig
    requires = frozenset({Trait.EXCLUSIVE_CLASSES, Trait.IMAGE_LEVEL})

    def __init__(
        self,
        config: SelfMetaPseudoLabelsConfig,
        student: nn.Module,
        teacher: nn.Module | None,
        context: MethodContext,
    ) -> None:
        super().__init__(config, student, teacher, context)
        self._unlabelled = required_unlabelled(self.name, context, config.ratio)

    def stages(self) -> tuple[Stage, ...]:
        """One stage, whose only player is the student."""
        samples = Several({"labelled": Labelled(), "unlabelled": self._unlabelled})
        players = {"student": Player((self.student,))}
        return (
            Stage(
                "student", evaluated=self.student, samples=samples, players=players, step=self.step
            ),
        )

    def step(self, batch: dict[str, Any], players: Players) -> Terms:
        """Both steps; the terms of the second one, the pseudo labels' loss and h are logged."""
        labelled: Batch = batch["labelled"]
        unlabelled: UnlabelledBatch = batch["unlabelled"]
        images = (
            labelled.pixels, unlabelled.view(self.config.weak), unlabelled.view(self.config.strong)
        )  # fmt: skip
        before = self._outputs(images)
        old = self.hard_label(before.labelled, labelled.targets).detach()
        classes = before.weak.argmax(dim=1)
        pseudo = self.pseudo_loss(before.strong, classes)
        players.update("student", pseudo)
        after = self._outputs(images)
        terms = {"ce": self.hard_label(after.labelled, labelled.targets)}
        gain = old - terms["ce"].detach()
        again = self.pseudo_loss(after.strong, classes)
        terms["feedback"] = self.config.feedback * gain * again
        terms["consistency"] = self.consistency(after.strong, before.weak, labelled.epoch)
        players.update("student", torch.stack(list(terms.values())).sum())
        return {**terms, "pseudo": pseudo, "gain": gain}

    def _outputs(self, images: tuple[Tensor, ...]) -> _Outputs:
        logits = self.student(torch.cat(images))
        return _Outputs(*logits.split([len(each) for each in images]))

    def pseudo_loss(self, logits: Tensor, classes: Tensor) -> Tensor:
        """Cross-entropy [] of logits [B, K] and the network's own labels, by no class weights."""
        weights = torch.ones_like(self.class_weights)
        smoothing = self.context.fit.label_smoothing
        return weighted_cross_entropy(logits, classes, weights, smoothing)

    def consistency(self, strong: Tensor, weak: Tensor, epoch: int) -> Tensor:
        """UDA's term with its weight in an epoch, counted from 0."""
        config, length = self.config, self.config.ramp * self.context.fit.epochs
        rise = min(1.0, (epoch + 1) / length) if length else 1.0
        term = sharpened_consistency(strong, weak, config.temperature, config.threshold)
        return rise * config.consistency * term
