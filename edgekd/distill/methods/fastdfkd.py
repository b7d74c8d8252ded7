"""`fastdfkd`: distillation without images, by a generator that learns to learn (Fang et al. 2022).

"Up to 100× Faster Data-Free Knowledge Distillation" (AAAI; arXiv 2112.06253), and its released
code.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from msgspec import Meta
from torch import Tensor, nn

from edgekd.data.autocast import without_autocast
from edgekd.distill.losses import agreeing_divergence
from edgekd.distill.losses.precision import full_precision
from edgekd.distill.methods.base import (
    MethodContext,
    NoSamples,
    Player,
    Players,
    Stage,
    StepContext,
    Terms,
    seeded,
)
from edgekd.distill.methods.data_free import DataFree, evaluating
from edgekd.distill.methods.temperature import Temperature
from edgekd.distill.synthesis.generator import ImageGenerator, balanced_labels
from edgekd.distill.synthesis.pool import ImagePool
from edgekd.distill.synthesis.teacher_statistics import LayerStatistics
from edgekd.distill.training.processes import average_in_place
from edgekd.recipe import AdamSection, Fraction, Positive, Rate, Section

__all__ = ["FastDataFree", "FastDataFreeConfig"]

Weight = Annotated[float, Meta(ge=0.0)]
Count = Annotated[int, Meta(ge=0)]

_BETAS = (0.5, 0.999)


class FastDataFreeConfig(Section, frozen=True, kw_only=True):
    """Keys of the method; defaults of the released code for ten iterations.

    Attributes:
        meta: How a batch's generator becomes the next one's start: `fomaml` (by the sum of its
            gradients), `reptile` (by the way that it went), `continued` (the next one goes on from
            there: ordinary training of one generator), or `none` (a new generator for each batch,
            which needs many more `iterations`).
        iterations: k, steps by which generator and noise are fitted for a batch of images. The
            paper takes 2, 5 or 10.
        generator_rate: Learning rate of the generator; the paper takes 5e-3, 3e-3 and 2e-3. That of
            the start is k times as high.
        latent_rate: Learning rate of the noise; the paper takes 0.015, 0.01 and 0.01.
        reptile_scale: Factor of Reptile's gradient θ − φ.
        statistics: α_bn, weight of the distance to the teacher's batch-norm statistics.
        one_hot: α_oh, weight of the teacher's cross-entropy for the class that is made.
        adversarial: α_adv, weight of the student's divergence where it agrees with the teacher,
            which the generator raises.
        momentum: Share of the batches before in the statistics that are compared.
        warmup: Batches of images that are made before the student's first step, without the
            adversarial term.
        steps: Steps of the student in an epoch, before which one batch of images is made.
        reset: Epoch in which the generator's first layer is drawn again; 0 never does.
        pool: Most images that are kept, the latest; 0 keeps all. They are a part of the run's
            training checkpoints: 3·S² bytes an image.
        temperature: T of the student's loss, or a curriculum.
        latent: Numbers of noise for an image.
        width: Channels of the generator's last map.
    """

    meta: Literal["fomaml", "reptile", "continued", "none"] = "fomaml"
    iterations: Positive = 10
    generator_rate: Rate = 2e-3
    latent_rate: Rate = 0.01
    reptile_scale: Rate = 67.0
    statistics: Weight = 10.0
    one_hot: Weight = 0.5
    adversarial: Weight = 1.33
    momentum: Fraction = 0.9
    warmup: Count = 20
    steps: Positive = 400
    reset: Count = 120
    pool: Count = 0
    temperature: Temperature = 20.0
    latent: Positive = 256
    width: Positive = 64


@dataclass
class _Synthesis:
    """A batch of images while it is made.

    Attributes:
        labels: The classes that it is made for [B].
        noise: Noise [B, Z], which is fitted too.
        generator: The batch's own generator φ.
        gradients: Sum of φ's gradients over the iterations.
        images: The images of the lowest loss so far [B, 3, S, S].
        loss: That loss.
        terms: Weighted terms of the last iteration.
        statistics: Statistics of the last iteration.
    """

    labels: Tensor
    noise: Tensor
    generator: ImageGenerator
    gradients: list[Tensor]
    images: Tensor
    loss: Tensor
    terms: Terms
    statistics: LayerStatistics


class FastDataFree(DataFree):
    """KL to the teacher's softened outputs for images that a generator makes, and nothing else.

    In each epoch a copy φ of the generator θ, and the noise that it starts from, are fitted for a
    few iterations to a batch of images that the teacher takes for its own. The best of them join a
    pool that the student learns from; θ moves to where φ would have been found sooner.
    """

    name = "fastdfkd"
    Config = FastDataFreeConfig
    config: FastDataFreeConfig

    def __init__(
        self,
        config: FastDataFreeConfig,
        student: nn.Module,
        teacher: nn.Module | None,
        context: MethodContext,
    ) -> None:
        super().__init__(config, student, teacher, context)
        self.remembered.momentum = config.momentum
        with seeded(context.seed):
            self.generator = ImageGenerator(context.image_size, config.latent, config.width)
        self.pool = ImagePool(context.image_size, config.pool)
        self.latest = LatestTerms(("statistics", "one_hot", "adversarial"))

    def notes(self) -> Iterator[str]:
        """What the pool will need, where that is much."""
        yield from super().notes()
        context, config = self.context, self.config
        images = (config.warmup + context.fit.epochs) * context.fit.batch_size
        images = min(images, config.pool) if config.pool else images
        size = 3 * context.image_size**2 * images
        if size > 1e9:
            yield (
                f"the pool grows to {images:,} images, {size / 1e9:.1f} GB in memory and in each "
                "training checkpoint; `method.pool` limits it"
            )

    def stages(self) -> tuple[Stage, ...]:
        """One stage: the generator makes images, and the student learns from them."""
        config, players = self.config, {}
        if config.meta in ("fomaml", "reptile"):
            rate = config.generator_rate * config.iterations
            players["generator"] = Player((self.generator,), AdamSection(learning_rate=rate))
        of_itself = () if players else (self.generator,)
        followers = (*of_itself, self.remembered, self.pool, self.latest)
        players["student"] = Player((self.student, *self.softening_trained))
        return (
            Stage(
                "student", evaluated=self.student, samples=NoSamples(config.steps),
                players=players, step=self._step, followers=followers,
            ),
        )  # fmt: skip

    def synthesised(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images of the pool, its latest."""
        return self.pool.images[-count:], self.pool.labels[-count:]

    # The student -----------------------------------------------------------------------------

    def _step(self, context: StepContext, players: Players) -> Terms:
        if context.step == 0:
            self._make_images(context, players)
        pixels = context.augment(self.pool.draw(context.size, context.generator))
        teacher = self.teacher_outputs(context, pixels)
        student = self.student(pixels)
        temperature = self.softening(student, teacher, context.epoch)
        loss = self.softened_loss(student, teacher, temperature)
        players.update("student", loss)
        # Those of the latest images in every step, so that their mean over the epoch is theirs.
        return {"kd": loss, **self.latest.terms()}

    def _make_images(self, context: StepContext, players: Players) -> None:
        """Let a batch of images join the pool; before the first epoch, those of the warm-up."""
        config = self.config
        if context.epoch == 0:
            for _ in range(config.warmup):
                self._synthesise(context, players, adversarial=0.0)
        if config.reset and context.epoch == config.reset:
            self.generator.reset_first(_of_all_processes(self.context.seed, context.epoch))
        self._synthesise(context, players, config.adversarial)

    # The generator ---------------------------------------------------------------------------

    def _synthesise(self, context: StepContext, players: Players, adversarial: float) -> None:
        """Make a batch of images for the pool, and learn from how it was made.

        In float32 whatever the precision of the run: no gradient scaler serves inner updates.
        """
        with without_autocast(), evaluating(self.student):
            made = self._fitted(context, adversarial)
        self.remembered.remember(made.statistics)
        self._learn(made, players)
        self.pool.add(made.images, made.labels)
        self.latest.keep(made.terms)

    def _fitted(self, context: StepContext, adversarial: float) -> _Synthesis:
        """Images after all iterations of their generator and noise."""
        made = self._begun(context)
        parameters = list(made.generator.parameters())
        groups: list[dict[str, Any]] = [
            {"params": parameters},
            {"params": [made.noise], "lr": self.config.latent_rate},
        ]
        optimizer = torch.optim.Adam(groups, self.config.generator_rate, _BETAS)
        for iteration in range(self.config.iterations):
            images = made.generator(made.noise)
            made.terms, made.statistics = self.image_terms(
                context.augment(images), made.labels, adversarial
            )
            loss = torch.stack(list(made.terms.values())).sum()
            if iteration == 0 or loss < made.loss:
                made.loss, made.images = loss.detach(), images.detach()
            *gradients, of_noise = torch.autograd.grad(loss, [*parameters, made.noise])
            made.noise.grad = of_noise
            for parameter, total, gradient in zip(
                parameters, made.gradients, gradients, strict=True
            ):
                total += gradient
                parameter.grad = gradient
            optimizer.step()
        return made

    def _begun(self, context: StepContext) -> _Synthesis:
        """A batch before its first iteration."""
        device, drawn = context.device, context.generator
        fast = copy.deepcopy(self.generator).requires_grad_(True).train()
        if self.config.meta == "none":
            fast.reset(drawn)
        noise = self.generator.noise(context.size, drawn).requires_grad_(True)
        labels = balanced_labels(context.size, len(self.context.class_counts), drawn).to(device)
        gradients = [torch.zeros_like(parameter) for parameter in fast.parameters()]
        nothing = torch.zeros((), device=device)
        return _Synthesis(labels, noise, fast, gradients, nothing, nothing, {}, LayerStatistics())

    def image_terms(
        self, pixels: Tensor, labels: Tensor, adversarial: float
    ) -> tuple[Terms, LayerStatistics]:
        """The weighted terms by which images are made, and their statistics.

        Args:
            pixels: Augmented images [B, 3, S, S].
            labels: Classes that they are made for [B].
            adversarial: Weight of the adversarial term.
        """
        with self.remembered.observed() as statistics:
            teacher = self.required_teacher(pixels)
        one_hot = full_precision(F.cross_entropy)(teacher, labels)
        terms = {
            "statistics": self.config.statistics * self.remembered.distance(statistics),
            "one_hot": self.config.one_hot * one_hot,
            "adversarial": torch.zeros_like(one_hot),
        }
        if adversarial:
            divergence = agreeing_divergence(self.student(pixels), teacher)
            terms["adversarial"] = -adversarial * divergence
        return terms, statistics

    def _learn(self, made: _Synthesis, players: Players) -> None:
        """Move the generator θ by what the batch's own generator φ went through."""
        if self.config.meta == "fomaml":
            players.apply("generator", made.gradients)
        elif self.config.meta == "reptile":
            players.apply("generator", self.reptile_gradients(made.generator))
        elif self.config.meta == "continued":
            self.generator.load_state_dict(made.generator.state_dict())
            state = self.generator.state_dict().values()
            average_in_place([tensor for tensor in state if tensor.is_floating_point()])

    def reptile_gradients(self, fast: nn.Module) -> list[Tensor]:
        """The factor times θ − φ, of each parameter of φ."""
        pairs = zip(self.generator.parameters(), fast.parameters(), strict=True)
        return [self.config.reptile_scale * (slow - own).detach() for slow, own in pairs]


class LatestTerms(nn.Module):
    """The loss terms of the latest images, kept with the run.

    Args:
        names: Their names.
    """

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        for name in names:
            self.register_buffer(name, torch.zeros(()))

    def terms(self) -> Terms:
        """The terms by name."""
        return dict(self.named_buffers())

    @torch.no_grad()
    def keep(self, terms: Terms) -> None:
        """Replace the terms."""
        for name, term in terms.items():
            getattr(self, name).copy_(term)


def _of_all_processes(seed: int, epoch: int) -> torch.Generator:
    """Random numbers that all processes share."""
    return torch.Generator().manual_seed(seed * 100_003 + epoch)
