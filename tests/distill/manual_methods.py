"""Two small methods that take their steps themselves, as a third party would bring them.

`alternating`: a generator makes images on which the student differs from the teacher, and the
student learns from them; no image of the data set is seen. `mixing`: how much the student trusts
the teacher beside the labels is learnt by the gradient through the student's update.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from edgekd.distill.losses import softened_kl
from edgekd.distill.losses.precision import full_precision
from edgekd.distill.methods import (
    Batch,
    Method,
    Player,
    Players,
    Stage,
    StepContext,
    Synthesised,
    SynthesisedBatch,
    Terms,
)
from edgekd.distill.methods.base import seeded
from edgekd.recipe import OptimiserSection, Section

LATENT = 8
SECTIONS = {"alternating": {"name": "alternating"}, "mixing": {"name": "mixing"}}


class AlternatingConfig(Section, frozen=True, kw_only=True):
    """Two players of different optimisers and schedules."""

    steps: int = 3
    generator: OptimiserSection = OptimiserSection(learning_rate=0.01, warmup=0.5)
    student: OptimiserSection = OptimiserSection(
        optimizer="sgd", learning_rate=0.05, schedule="steps", milestones=(1,)
    )


class Generator(nn.Module):
    """Images [B, 3, S, S] from latent vectors and classes."""

    def __init__(self, classes: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.layers = nn.Sequential(
            nn.Linear(LATENT + classes, 3 * 8 * 8), nn.Unflatten(1, (3, 8, 8)),
            nn.Upsample(scale_factor=size // 8), nn.Conv2d(3, 3, 3, padding=1), nn.Sigmoid(),
        )  # fmt: skip
        self.classes = classes

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        hot = F.one_hot(labels, self.classes).to(latent.dtype)
        return self.layers(torch.cat((latent, hot), dim=1))


class Alternating(Method):
    name = "alternating"
    Config = AlternatingConfig

    def __init__(self, config: Any, student: Any, teacher: Any, context: Any) -> None:
        super().__init__(config, student, teacher, context)
        with seeded(context.seed):
            self.generator = Generator(len(context.class_counts), context.image_size)

    def stages(self) -> tuple[Stage, ...]:
        players = {
            "generator": Player((self.generator,), self.config.generator, clip=1.0),
            "student": Player((self.student,), self.config.student),
        }
        samples = Synthesised(self.make, self.config.steps)
        return (
            Stage(
                "student", evaluated=self.student, samples=samples, players=players, step=self.step
            ),
        )

    def make(self, context: StepContext) -> SynthesisedBatch:
        drawn = {"generator": context.generator}
        latent = torch.randn(context.size, LATENT, **drawn).to(context.device)
        labels = torch.randint(self.generator.classes, (context.size,), **drawn)
        labels = labels.to(context.device)
        return context.batch(self.generator(latent, labels).float(), labels)

    def step(self, batch: SynthesisedBatch, players: Players) -> Terms:
        student, teacher = self.student(batch.raw), self.teacher(batch.raw)
        agrees = full_precision(F.cross_entropy)(teacher, batch.conditions)
        # `softened_kl` stops the gradient at its teacher, through which the generator learns too.
        differs = full_precision(_divergence)(student, teacher)
        players.update("generator", agrees - differs)
        images = batch.raw.detach()
        with torch.no_grad():
            teacher = self.teacher(images)
        loss = softened_kl(self.student(images), teacher, 1.0)
        players.update("student", loss)
        return {"agrees": agrees, "differs": differs, "student": loss}


def _divergence(student: Tensor, teacher: Tensor) -> Tensor:
    return F.kl_div(
        student.log_softmax(1), teacher.log_softmax(1), log_target=True, reduction="batchmean"
    )


class MixingConfig(Section, frozen=True, kw_only=True):
    weights: OptimiserSection = OptimiserSection(
        optimizer="sgd", learning_rate=20.0, momentum=0.5, weight_decay=0.0,
        schedule="plateau", patience=1,
    )  # fmt: skip


class Mixing(Method):
    name = "mixing"
    Config = MixingConfig

    def __init__(self, config: Any, student: Any, teacher: Any, context: Any) -> None:
        super().__init__(config, student, teacher, context)
        self.mixing = nn.ParameterDict({"weight": nn.Parameter(torch.zeros(()))})

    def stages(self) -> tuple[Stage, ...]:
        players = {
            "weights": Player((self.mixing,), self.config.weights),
            "student": Player((self.student,)),
        }
        return (Stage("student", evaluated=self.student, players=players, step=self.step),)

    def step(self, batch: Batch, players: Players) -> Terms:
        """The first half of the images updates the student, the second one judges that update."""
        half = len(batch.raw) // 2
        images, targets = batch.raw[:half], batch.raw_targets[:half]
        with torch.no_grad():
            teacher = self.teacher(images)
        weight = self.mixing["weight"].sigmoid()
        before = dict(self.student.named_parameters())
        inner = self.mixed(self.student(images), teacher, targets, weight)
        gradients = torch.autograd.grad(inner, list(before.values()), create_graph=True)
        rate = players.rate("student")
        after = {
            name: parameter - rate * gradient
            for (name, parameter), gradient in zip(before.items(), gradients, strict=True)
        }
        logits = functional_call(self.student, after, (batch.raw[half:],))
        outer = full_precision(F.cross_entropy)(logits, batch.raw_targets[half:])
        players.update("weights", outer)
        weight = self.mixing["weight"].sigmoid().detach()
        loss = self.mixed(self.student(images), teacher, targets, weight)
        players.update("student", loss)
        return {"outer": outer, "student": loss, "weight": weight}

    @staticmethod
    @full_precision
    def mixed(student: Tensor, teacher: Tensor, targets: Tensor, weight: Tensor) -> Tensor:
        hard = F.cross_entropy(student, targets)
        return (1 - weight) * hard + weight * _divergence(student, teacher)


METHODS = {"alternating": Alternating, "mixing": Mixing}


def install(home: Path) -> str:
    """Write the entry points of a distribution; gives the folder to put on the path."""
    about = home / "manual_methods-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: manual-methods\nVersion: 1.0\n")
    entries = "alternating = manual_methods:Alternating\nmixing = manual_methods:Mixing\n"
    (about / "entry_points.txt").write_text(f"[edgekd.methods]\n{entries}")
    return str(home)
