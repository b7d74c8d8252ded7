"""`cgdd`: distillation without images, by a generator of a given class (Yu et al. 2021).

"Conditional Generative Data-Free Knowledge Distillation" (arXiv 2112.15358). No code was released:
the student's loss is the paper's; of the generator's regularisers and of all weights the defaults
are edgekd's choice, after DAFL (Chen et al. 2019) and FastDFKD (Fang et al. 2022).
"""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from msgspec import Meta
from torch import Tensor, nn

from edgekd.distill.losses import agreeing_divergence, attention_transfer, class_imbalance
from edgekd.distill.losses.precision import at_least_float32, full_precision
from edgekd.distill.methods.base import (
    MethodContext,
    Player,
    Players,
    Stage,
    StepContext,
    Synthesised,
    SynthesisedBatch,
    Terms,
    seeded,
)
from edgekd.distill.methods.data_free import DataFree, evaluating
from edgekd.distill.methods.temperature import Temperature
from edgekd.distill.synthesis.generator import ImageGenerator, balanced_labels
from edgekd.models.features import Features, features_of, probe
from edgekd.recipe import AdamSection, Positive, Section

__all__ = ["ConditionalDataFree", "ConditionalDataFreeConfig"]

_PART = 64  # images that are made at once, after the training
Weight = Annotated[float, Meta(ge=0.0)]


class ConditionalDataFreeConfig(Section, frozen=True, kw_only=True):
    """Keys of the method.

    Attributes:
        kd: Weight of the softened loss.
        ce: Weight of the cross-entropy for the class that an image was made for.
        attention: γ, weight of the mean squared difference of the last maps' attention.
        temperature: T of the softened outputs, or a curriculum.
        one_hot: Weight of the teacher's cross-entropy for that class, in the generator's loss.
        statistics: Weight of the distance to the teacher's batch-norm statistics.
        class_balance: Weight of Σ p̄ log p̄ of the teacher's mean probabilities, lowest where all
            classes are equally frequent.
        adversarial: Weight of the student's divergence where it agrees with the teacher, which the
            generator raises.
        steps: Steps of an epoch, in each of which the generator and the student learn once.
        generator: The generator's optimiser.
        latent: Numbers of noise for an image.
        width: Channels of the generator's last map.
    """

    kd: Weight = 1.0
    ce: Weight = 1.0
    attention: Weight = 1000.0
    temperature: Temperature = 4.0
    one_hot: Weight = 1.0
    statistics: Weight = 1.0
    class_balance: Weight = 1.0
    adversarial: Weight = 1.0
    steps: Positive = 400
    generator: AdamSection = AdamSection(learning_rate=1e-3)
    latent: Positive = 256
    width: Positive = 64


class ConditionalDataFree(DataFree):
    """KL + CE + attention for images that a generator makes for preset classes.

    In each step the generator learns what the teacher takes for an image of the class, then the
    student learns from the same images.
    """

    name = "cgdd"
    learns_preset_classes = True
    Config = ConditionalDataFreeConfig
    config: ConditionalDataFreeConfig

    def __init__(
        self,
        config: ConditionalDataFreeConfig,
        student: nn.Module,
        teacher: nn.Module | None,
        context: MethodContext,
    ) -> None:
        super().__init__(config, student, teacher, context)
        probe(student, context.image_size)  # fails now rather than in the first step
        self.probe_teacher()
        with seeded(context.seed):
            self.generator = ImageGenerator(
                context.image_size, config.latent, config.width, len(context.class_counts)
            )

    def stages(self) -> tuple[Stage, ...]:
        """One stage of two players."""
        players = {
            "generator": Player((self.generator,), self.config.generator),
            "student": Player((self.student, *self.softening_trained)),
        }
        samples = Synthesised(self._make, self.config.steps)
        return (
            Stage(
                "student", evaluated=self.student, samples=samples, players=players,
                step=self._step,
            ),
        )  # fmt: skip

    @torch.no_grad()
    def synthesised(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """New images, of each class as many."""
        labels = balanced_labels(count, self.generator.classes, generator)
        noise = self.generator.noise(count, generator)
        with evaluating(self.generator):
            given = (torch.split(each.to(noise.device), _PART) for each in (noise, labels))
            pairs = zip(*given, strict=True)
            parts = [self.generator(*pair).mul(255.0).round().to(torch.uint8) for pair in pairs]
        return torch.cat(parts), labels

    def _make(self, context: StepContext) -> SynthesisedBatch:
        drawn = context.generator
        labels = balanced_labels(context.size, self.generator.classes, drawn).to(context.device)
        images = self.generator(self.generator.noise(context.size, drawn), labels)
        return context.batch(at_least_float32(images), labels)

    def _step(self, batch: SynthesisedBatch, players: Players) -> Terms:
        assert batch.conditions is not None  # given by `_make`
        made, teacher = self.image_terms(batch.pixels, batch.conditions)
        players.update("generator", torch.stack(list(made.values())).sum())
        learnt = self.student_terms(batch.pixels.detach(), batch.conditions, teacher, batch.epoch)
        players.update("student", torch.stack(list(learnt.values())).sum())
        return {**made, **learnt}

    def image_terms(self, pixels: Tensor, labels: Tensor) -> tuple[Terms, Features]:
        """The generator's weighted terms, and the teacher's features of its images.

        Args:
            pixels: Augmented images [B, 3, S, S], with their graph.
            labels: Classes that they are made for [B].
        """
        config = self.config
        with self.remembered.observed() as statistics:
            teacher = features_of(self.required_teacher, pixels)
        terms = {
            "one_hot": config.one_hot * full_precision(F.cross_entropy)(teacher.logits, labels),
            "statistics": config.statistics * self.remembered.distance(statistics),
            "class_balance": config.class_balance * class_imbalance(teacher.logits),
        }
        if config.adversarial:
            with evaluating(self.student):
                student = self.student(pixels)
            terms["adversarial"] = -config.adversarial * agreeing_divergence(
                student, teacher.logits
            )
        return terms, teacher

    def student_terms(self, pixels: Tensor, labels: Tensor, teacher: Features, epoch: int) -> Terms:
        """The student's weighted terms.

        Args:
            pixels: Augmented images [B, 3, S, S].
            labels: Classes that they were made for [B].
            teacher: The teacher's features of them; no gradient flows to it.
            epoch: Counted from 0.
        """
        config, student = self.config, features_of(self.student, pixels)
        logits = teacher.logits.detach()
        temperature = self.softening(student.logits, logits, epoch)
        equal = torch.ones_like(self.class_weights)  # classes are made equally often
        return {
            "kd": config.kd * self.softened_loss(student.logits, logits, temperature),
            "ce": config.ce * self.label_loss(student.logits, labels, equal, None),
            "attention": config.attention * attention_transfer(student.features, teacher.features),
        }
