"""`meta_curriculum`: a generator that proposes images by what they teach the student (generative
meta curriculum learning, ICIP 2023; arXiv 2212.10086).

No code was released: the two levels are the paper's; the generator's layers, what it begins with
and all numbers are edgekd's choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import torch
from msgspec import Meta
from torch import Tensor, nn
from torch.func import functional_call

from edgekd.data.autocast import without_autocast
from edgekd.distill.methods.base import (
    Batch,
    Labelled,
    Method,
    MethodContext,
    Player,
    Players,
    Redrawn,
    Several,
    Stage,
    Terms,
    seeded,
)
from edgekd.distill.methods.few_labels import refuse_one_class
from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.synthesis.changer import ImageChanger
from edgekd.distill.synthesis.generator import ImageGenerator
from edgekd.distill.task import Trait
from edgekd.errors import InputError
from edgekd.models import classifier_of
from edgekd.recipe import AdamSection, Positive, Section

__all__ = ["MetaCurriculum", "MetaCurriculumConfig"]


class MetaCurriculumConfig(Section, frozen=True, kw_only=True):
    """Keys of the method.

    Attributes:
        weight: λ in (1 − λ)·CE(real images) + λ·CE(proposed images).
        start: What the generator makes an image of: a real `image` of the class, which it changes,
            at first not at all; or `noise`.
        classes: How often the classes are proposed: all equally often (`even`), by their inverse
            frequency (`rare`), or as the real ones are drawn (`real`).
        step_of: What the virtual step moves: the `last_layer` of the student, or the whole
            `network`, which costs more (docs/methods.md).
        rate: η, learning rate of the virtual step. With 0 the generator learns nothing.
        change: Most that a pixel of a real image is changed, of a range of 0 to 1.
        generator: The generator's optimiser.
        latent: Numbers of noise for an image.
        width: Channels of the generator's largest map.
    """

    weight: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.5
    start: Literal["image", "noise"] = "image"
    classes: Literal["even", "rare", "real"] = "even"
    step_of: Literal["last_layer", "network"] = "last_layer"
    rate: Annotated[float, Meta(ge=0.0)] = 0.1
    change: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.25
    generator: AdamSection = AdamSection(learning_rate=1e-3)
    latent: Positive = 16
    width: Positive = 16


class MetaCurriculum(Method):
    """(1 − λ)·CE of real images + λ·CE of as many that a generator G_φ proposes.

    In each step, of real images x and of proposed ones G_φ:

    1. θ′ = θ − η ∇_θ CE(θ; G_φ), a virtual step, and φ goes down CE(θ′; x): the generator learns to
       propose what helps the student with real images, and works with it rather than against it.
    2. θ goes down both losses of the same images, in one pass that shares batch norm's statistics.

    The images that are changed are drawn apart from those that judge them. Both passes of the
    virtual step leave the student as it is: weights, and batch norm's running statistics. They run
    in float32. With several processes each takes the virtual step of its own images.
    """

    name = "meta_curriculum"
    Config = MetaCurriculumConfig
    needs_teacher = False
    requires = frozenset({Trait.EXCLUSIVE_CLASSES, Trait.IMAGE_LEVEL})
    config: MetaCurriculumConfig
    generator: ImageChanger | ImageGenerator
    proposed_weights: Tensor
    proposed_adjustment: Tensor | None

    def __init__(
        self,
        config: MetaCurriculumConfig,
        student: nn.Module,
        teacher: nn.Module | None,
        context: MethodContext,
    ) -> None:
        super().__init__(config, student, teacher, context)
        refuse_one_class(self.name, context)
        if context.fit.batch_size < 2:
            message = (
                f"the method {self.name} proposes images by the student's progress on a batch, and "
                "a batch of 1 image is of one class"
            )
            raise InputError(message, "raise `student.fit.batch_size`")
        with seeded(context.seed):
            self.generator = self._new_generator()
        self._moved = self._moved_parameters()
        weights, adjustment = self._proposed_loss()
        self.register_buffer("proposed_weights", weights, persistent=False)
        self.register_buffer("proposed_adjustment", adjustment, persistent=False)

    def _new_generator(self) -> ImageChanger | ImageGenerator:
        config, classes = self.config, len(self.context.class_counts)
        if config.start == "image":
            return ImageChanger(config.latent, config.width, classes, config.change)
        return ImageGenerator(self.context.image_size, config.latent, config.width, classes)

    def _moved_parameters(self) -> tuple[str, ...]:
        """Names of the student's parameters that the virtual step moves."""
        names = {id(each): name for name, each in self.student.named_parameters()}
        if self.config.step_of == "network":
            return tuple(names.values())
        last = classifier_of(getattr(self.student, "network", self.student))
        moved = tuple(names[id(each)] for each in last.parameters())
        if not moved:
            message = f"the student's last layer, {type(last).__name__}, has nothing to learn"
            raise InputError(message, "set `method.step_of` to network")
        return moved

    def _proposed_loss(self) -> tuple[Tensor, Tensor | None]:
        """Class weights [K] and logit adjustment [K] of the loss on proposed images.

        Those of `fit` balance the classes as the real images are drawn.
        """
        context, config = self.context, self.config
        if config.classes == "real":
            return self.class_weights.clone(), self.adjustment
        equal = torch.ones_like(self.class_weights)
        if config.classes == "even" or self.adjustment is None:
            return equal, None
        counts = torch.tensor(context.class_counts, dtype=torch.float64)
        frequency = torch.where(counts > 0, 1.0 / counts.clamp(min=1.0), torch.zeros_like(counts))
        prior = (frequency / frequency.sum()).clamp(min=1e-12).log().to(self.adjustment)
        return equal, context.fit.logit_adjustment * prior

    def notes(self) -> Iterator[str]:
        """That a generator which learns nothing is trained."""
        yield from super().notes()
        if not self.config.rate:
            yield "without a virtual step the generator learns nothing (`method.rate` is 0)"

    def stages(self) -> tuple[Stage, ...]:
        """One stage of two players."""
        players = {
            "generator": Player((self.generator,), self.config.generator),
            "student": Player((self.student,)),
        }
        samples = Several({"real": Labelled(), "sources": Redrawn(self._draws)})
        return (
            Stage(
                "student", evaluated=self.student, samples=samples, players=players, step=self.step
            ),
        )

    def _draws(self, samples: RunSamples) -> Tensor | None:
        """How often each training image is the source of a proposed one."""
        if self.config.classes == "real":
            return samples.sampling_weights(self.context.fit.class_sampling)
        weights = samples.sampling_weights("full")
        if self.config.classes == "even" or weights is None:
            return weights
        _, targets = samples.part("train")
        return weights * samples.task.sampling_weights(targets, samples.class_counts, "full")

    def step(self, batch: dict[str, Batch], players: Players) -> Terms:
        """One update of the generator, then one of the student by the same images."""
        real, sources = batch["real"], batch["sources"]
        labels = sources.raw_targets
        with without_autocast():
            proposed = self.proposed(sources, labels)
            lookahead = self.lookahead(real, proposed, labels)
        players.update("generator", lookahead)
        terms = self.student_terms(real, proposed.detach(), labels)
        players.update("student", torch.stack(list(terms.values())).sum())
        return {**terms, "lookahead": lookahead}

    def proposed(self, sources: Batch, labels: Tensor) -> Tensor:
        """Images [B, 3, S, S] of the classes [B], with the generator's graph."""
        noise = self.generator.noise(len(labels), sources.generator)
        if isinstance(self.generator, ImageChanger):
            images: Tensor = self.generator(sources.pixels, noise, labels)
            return images
        return sources.augment(self.generator(noise, labels))

    def lookahead(self, real: Batch, proposed: Tensor, labels: Tensor) -> Tensor:
        """The loss of real images [] after a virtual step on proposed ones [B, 3, S, S].

        Its gradient with respect to the generator is −η · ∂/∂φ ⟨∇CE(G_φ), ∇CE(x)⟩, in first order.
        """
        weights = dict(self.student.named_parameters())
        moved = [weights[name] for name in self._moved]
        outputs = self._called({}, proposed)
        loss = self.proposed_loss(outputs, labels)
        gradients = torch.autograd.grad(loss, moved, create_graph=True)
        after = {name: each.detach() for name, each in weights.items()}
        for name, gradient in zip(self._moved, gradients, strict=True):
            after[name] = after[name] - self.config.rate * gradient
        return self.hard_label(self._called(after, real.pixels), real.unmixed_targets)

    def _called(self, parameters: dict[str, Tensor], pixels: Tensor) -> Tensor:
        """The student's outputs with other parameters; its running statistics stay."""
        buffers = {name: each.clone() for name, each in self.student.named_buffers()}
        outputs: Tensor = functional_call(self.student, (parameters, buffers), (pixels,))
        return outputs

    def student_terms(self, real: Batch, proposed: Tensor, labels: Tensor) -> Terms:
        """The student's weighted terms, of one pass."""
        share, pixels = self.config.weight, real.pixels
        own, others = self.student(torch.cat((pixels, proposed))).split([len(pixels), len(labels)])
        return {
            "ce": (1.0 - share) * self.hard_label(own, real.unmixed_targets),
            "proposed": share * self.proposed_loss(others, labels),
        }

    def proposed_loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The hard-label loss of proposed images."""
        weights, adjustment = self.proposed_weights, self.proposed_adjustment
        return self.label_loss(outputs, labels, weights, adjustment)
