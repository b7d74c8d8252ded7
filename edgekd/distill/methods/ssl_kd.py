"""`ssl_kd`: a self-supervised start, fine-tuning on few labels, and distillation on the images
without any (the retinopathy recipe of arXiv 2208.02408, as Chen et al. 2020, "Big Self-Supervised
Models are Strong Semi-Supervised Learners", NeurIPS, arXiv 2006.10029, have its three steps).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Annotated, Any, cast

import torch
from msgspec import Meta
from torch import Tensor, nn

from edgekd.distill.losses import view_contrast
from edgekd.distill.methods.adapters import projection_head
from edgekd.distill.methods.base import (
    Batch,
    Labelled,
    Method,
    MethodContext,
    Several,
    Stage,
    Terms,
    UnlabelledBatch,
    seeded,
)
from edgekd.distill.methods.few_labels import required_unlabelled
from edgekd.distill.task import Trait
from edgekd.models import NormalisedNetwork, build_network, classifier_of, count_params
from edgekd.models.features import features_of, probe
from edgekd.recipe import AugmentSection, FitSection, ModelSection, Section

__all__ = ["SelfSupervisedStart", "SelfSupervisedStartConfig"]


class SelfSupervisedStartConfig(Section, frozen=True, kw_only=True):
    """Keys of the method; the paper's abstract gives none of their values.

    Attributes:
        network: The network that learns by contrast, is fine-tuned, and teaches the student; by
            default another one like the student.
        contrast_temperature: τ of the contrast; SimCLR takes 0.5 for small images.
        contrast_augment: Changes of the two views that are contrasted.
        contrast_fit: How it learns by contrast; by default as the student.
        finetune_fit: How it is fine-tuned on the labels; by default as the student.
        ratio: Unlabelled images for each labelled one of a batch.
        temperature: T of the softened outputs.
        weight: λ in (1 − λ)·CE on the labelled images + λ·T²·KL on all images; 1 distils alone.
    """

    network: ModelSection | None = None
    contrast_temperature: Annotated[float, Meta(gt=0.0)] = 0.5
    contrast_augment: AugmentSection = AugmentSection(crop=0.2, colour=0.4)
    contrast_fit: FitSection | None = None
    finetune_fit: FitSection | None = None
    ratio: Annotated[int, Meta(ge=1)] = 3
    temperature: Annotated[float, Meta(gt=0.0)] = 1.0
    weight: Annotated[float, Meta(ge=0.0, le=1.0)] = 1.0


class SelfSupervisedStart(Method):
    """Three stages: contrast on all images, fine-tuning on the labels, distillation on all images.

    With several processes an image is contrasted with those of its own process.
    """

    name = "ssl_kd"
    Config = SelfSupervisedStartConfig
    needs_teacher = False
    takes_unlabelled = True
    config: SelfSupervisedStartConfig
    requires = frozenset({Trait.SOFTENED_OUTPUTS, Trait.IMAGE_LEVEL})

    def __init__(
        self,
        config: SelfSupervisedStartConfig,
        student: nn.Module,
        teacher: nn.Module | None,
        context: MethodContext,
    ) -> None:
        super().__init__(config, student, teacher, context)
        unlabelled = required_unlabelled(self.name, context, config.ratio)
        self._samples = Several({"labelled": Labelled(), "unlabelled": unlabelled})
        with seeded(context.seed):
            self.labeller = self._network()
            width = probe(self.labeller, context.image_size).pooled.shape[1]
            self.head = projection_head(width)

    def _network(self) -> NormalisedNetwork:
        if self.config.network is None:
            return copy.deepcopy(cast("NormalisedNetwork", self.student))
        built = build_network(self.config.network, len(self.context.class_counts))
        return NormalisedNetwork(built.network, built.mean, built.std)

    def notes(self) -> Iterator[str]:
        """The base's, and what the first two stages cost."""
        yield from super().notes()
        size, fit = count_params(self.labeller) / 1e6, self.context.fit
        contrast = (self.config.contrast_fit or fit).epochs
        finetune = (self.config.finetune_fit or fit).epochs
        cost = f"{contrast} epochs by contrast, two views of each image, and {finetune} on labels"
        yield f"a network of {size:.2f} M parameters is trained first: {cost}"

    def stages(self) -> tuple[Stage, ...]:
        """Contrast, fine-tuning, the student."""
        config = self.config
        kept = (config.network, config.contrast_temperature, config.contrast_augment, config.ratio)
        contrast = ("contrast", *kept) if config.network is not None else None
        finetune = ("finetune", *kept, config.contrast_fit, self.context.fit)
        return (
            Stage(
                "contrast", (self.labeller, self.head), self._contrast,
                criterion=self._contrast_as_is, samples=self._samples, fit=config.contrast_fit,
                depends_on=contrast,
                idle=tuple(classifier_of(self.labeller.network).parameters()),
            ),
            Stage(
                "finetune", (self.labeller,), self._label_terms, self.labeller,
                fit=config.finetune_fit, depends_on=finetune if contrast else None,
            ),
            Stage(
                "student", (self.student,), self._objective, self.student, samples=self._samples
            ),
        )  # fmt: skip

    def _contrast(self, batch: dict[str, Any]) -> Terms:
        labelled: Batch = batch["labelled"]
        unlabelled: UnlabelledBatch = batch["unlabelled"]
        raw = torch.cat((labelled.raw, unlabelled.raw))
        every = UnlabelledBatch(
            raw, torch.arange(len(raw)), unlabelled.epoch, generator=unlabelled.generator,
            training_side=unlabelled.training_side,
        )  # fmt: skip
        views = [every.view(self.config.contrast_augment) for _ in range(2)]
        return self._contrast_of(*views)

    def _contrast_as_is(self, batch: Batch) -> Terms:
        """Of validation images and their mirror images, which are the same each time."""
        if len(batch.raw) == 1:  # the rest of a validation part: nothing to tell it from
            return {"contrast": batch.raw.new_zeros(())}
        return self._contrast_of(batch.raw, batch.raw.flip(3))

    def _contrast_of(self, first: Tensor, second: Tensor) -> Terms:
        pooled = features_of(self.labeller, torch.cat((first, second))).pooled
        one, other = self.head(pooled).chunk(2)
        return {"contrast": view_contrast(one, other, self.config.contrast_temperature)}

    def _label_terms(self, batch: Batch) -> Terms:
        return {"ce": self.hard_label(self.labeller(batch.pixels), batch.targets)}

    def _objective(self, batch: dict[str, Any]) -> Terms:
        """Distillation on all images, and the labels where they have a weight."""
        config, labelled = self.config, batch["labelled"]
        pixels = torch.cat((labelled.pixels, batch["unlabelled"].pixels))
        student = self.student(pixels)
        with torch.no_grad():
            labels = self.labeller(pixels)
        terms = {
            "kd": config.weight * self.softened_loss(student, labels, config.temperature)
        }  # fmt: skip
        if config.weight < 1.0:
            hard = self.hard_label(student[: len(labelled.pixels)], labelled.targets)
            terms["ce"] = (1 - config.weight) * hard
        return terms
