"""Methods between two tiny networks, and batches for them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import timm
import torch

from edgekd.data import Dataset, Sample, Split
from edgekd.distill.losses import class_weights
from edgekd.distill.methods import (
    Batch,
    Labelled,
    Method,
    MethodContext,
    NoSamples,
    Players,
    Several,
    Stage,
    StepContext,
    Synthesised,
    Terms,
    UnlabelledBatch,
    resolve_method,
)
from edgekd.distill.methods.base import Subclasses
from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.samples.sample_kinds import SampleKind
from edgekd.models import NormalisedNetwork
from edgekd.recipe import FitSection

COUNTS = (40, 20, 10, 5, 5)


SUBCLASS_OF = (0, 0, 1, 2, 3, 3, 4)


ASSISTANT = {"arch": "resnet10t", "options": {"channels": [4, 4, 8, 8], "stem_width": 4}}
# Generators and ladders that are no longer and no larger than they have to be here.
SMALL: dict[str, dict[str, Any]] = {
    "assistants": {"assistants": [ASSISTANT]},
    "ces_kd": {"assistants": [ASSISTANT]},
    "cgdd": {"latent": 8, "width": 4},
    "meta_curriculum": {"latent": 8, "width": 4},
    "fastdfkd": {"latent": 8, "width": 4, "iterations": 2, "warmup": 1},
}


def network(seed: int, *channels: int, subclass_of: tuple[int, ...] = ()) -> NormalisedNetwork:
    torch.manual_seed(seed)
    outputs = len(subclass_of) or 5
    plain = timm.create_model("resnet10t", num_classes=outputs, channels=channels, stem_width=4)
    return NormalisedNetwork(plain, (0.5,) * 3, (0.5,) * 3, subclass_of)


def make_context(fit: FitSection | None = None) -> MethodContext:
    """Of 80 images, of which the even ones of classes 0 and 3 have a subclass of their own."""
    labels = torch.arange(80) % 5
    first = torch.tensor([SUBCLASS_OF.index(label) for label in range(5)])
    own = first[labels] + (torch.isin(labels, torch.tensor([0, 3])) & (torch.arange(80) % 2 == 0))
    return MethodContext(
        COUNTS, class_weights(COUNTS, "full"), 80, 32, fit or FitSection(),
        training_labels=labels, subclasses=Subclasses(SUBCLASS_OF, own),
        unlabelled_images=40,
    )  # fmt: skip


def method(
    name: str, *, student: Any = None, fit: FitSection | None = None, **options: Any
) -> Method:
    kind, config = resolve_method({"name": name, **SMALL.get(name, {}), **options})
    divided = SUBCLASS_OF if kind.learns_subclasses else ()
    teacher = network(1, 4, 8, 8, 16, subclass_of=divided) if kind.needs_teacher else None
    student = student or network(0, 4, 4, 8, 8, subclass_of=divided)
    return kind(config, student, teacher, make_context(fit)).eval()


def run_samples(side: int = 32, validated: int = 20) -> RunSamples:
    """80 images of noise, the last ones for validation; their classes take turns."""
    parts = ("train",) * (80 - validated) + ("validation",) * validated
    names = tuple("abcde")
    samples = tuple(Sample(f"{n}.png", names[n % 5], str(n)) for n in range(80))
    images = np.random.default_rng(0).integers(0, 256, (80, side, side, 3), dtype=np.uint8)
    split = Split(Dataset("noise", Path(), names, samples), parts)
    return RunSamples(split, images, np.arange(80) % 5)


def prepared(stage: Stage, side: int = 32) -> Stage:
    """The stage, once it has seen the images of a run if it has to."""
    if stage.prepare is not None:
        stage.prepare(run_samples(side))
    return stage


def batch(epoch: int = 0, size: int = 6, seed: int = 0) -> Batch:
    drawn = torch.Generator().manual_seed(seed)
    raw = torch.rand(size, 3, 32, 32, generator=drawn)
    targets = torch.arange(size) % 5
    return Batch(raw, targets, torch.arange(size), epoch, lambda p: 0.9 * p, drawn)


def unlabelled(epoch: int = 0, size: int = 8, seed: int = 7) -> UnlabelledBatch:
    drawn = torch.Generator().manual_seed(seed)
    raw = torch.rand(size, 3, 32, 32, generator=drawn)
    return UnlabelledBatch(raw, torch.arange(size), epoch, lambda p: 0.9 * p, drawn)


def sample(kind: SampleKind, epoch: int = 0, size: int = 6) -> Any:
    """What a stage of these samples receives."""
    if isinstance(kind, Several):
        return {name: sample(each, epoch, size) for name, each in kind.kinds.items()}
    if isinstance(kind, NoSamples | Synthesised):
        drawn = torch.Generator().manual_seed(epoch)
        context = StepContext(8, torch.device("cpu"), epoch, lambda p: 0.9 * p, drawn)
        return kind.batch(0, context)
    return batch(epoch, size) if isinstance(kind, Labelled) else unlabelled(epoch)


def players_of(stage: Stage, rate: float = 0.05) -> Players:
    """The players of a stage, each with plain SGD."""
    every = [torch.optim.SGD(player.parameters(), lr=rate) for player in stage.players.values()]
    plain = SimpleNamespace(
        optimizers=lambda: every, trainer=SimpleNamespace(precision_plugin=None)
    )
    return Players(stage.players, plain)  # type: ignore[arg-type]


def terms_of(stage: Stage, epoch: int = 0, rate: float = 0.05) -> Terms:
    """The terms of one training step; a stage with players takes it."""
    given = sample(stage.samples, epoch)
    if stage.objective is not None:
        return stage.objective(given)
    assert stage.step is not None
    return stage.step(given, players_of(stage, rate))
