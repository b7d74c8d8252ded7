"""CRCKD without batch statistics, by one process or as one of several (`shares.py`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import timm
import torch
from pair import Objective
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from edgekd.distill.methods import Batch, Method, MethodContext, resolve_method
from edgekd.distill.training.optimisation import make_optimizer
from edgekd.recipe import FitSection

CLASSES, IMAGES, SIDE, STEPS = 3, 12, 32, 6
LABELS = torch.arange(IMAGES) % CLASSES
# All of an anchor's class and all of the others: no draw differs from another.
SHARES = {"positives": IMAGES // CLASSES, "negatives": IMAGES - IMAGES // CLASSES, "embedding": 8}


def even_method() -> Method:
    """CRCKD whose loss is a mean over images, each of which is seen alone."""
    torch.manual_seed(0)
    options = {"channels": (4, 4, 8, 8), "stem_width": 4, "norm_layer": "groupnorm1"}
    student = timm.create_model("resnet10t", num_classes=CLASSES, **options)
    fit = FitSection(epochs=STEPS, optimizer="sgd", learning_rate=0.05)
    context = MethodContext(
        (IMAGES // CLASSES,) * CLASSES, torch.ones(CLASSES), IMAGES, SIDE, fit,
        training_labels=LABELS,
    )  # fmt: skip
    kind, config = resolve_method(
        {"name": "crckd", "start": 0.3, "ramp": 0.6, "turn": False, "category": SHARES}
    )
    return kind(config, student, None, context)


def batch(step: int, rank: int, processes: int) -> Batch:
    """A process's share of six of the images; the second half follows the first."""
    images = torch.rand(IMAGES, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    chosen = (torch.arange(6) + 6 * step)[rank::processes] % IMAGES
    return Batch(images[chosen], LABELS[chosen], chosen, step)


def trained(
    rank: int, processes: int, wrap: Callable[[Any], Any] = lambda network: network
) -> dict[str, Tensor]:
    """The loss of each step and everything that the stage changed, of a process with its share."""
    made = even_method()
    (stage,) = made.stages()
    made.requires_grad_(False)
    for module in stage.trained:
        module.requires_grad_(True)
    for module in stage.updated:
        module.train()
    network = wrap(Objective(made))
    optimizer = make_optimizer(stage.trained, made.context.fit)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = network(batch(step, rank, processes))
        loss.backward()
        optimizer.step()
        stage.after_step()
        losses.append(loss.detach())
    return {"losses": torch.stack(losses), **{k: v.clone() for k, v in made.state_dict().items()}}


def _wrapped(network: nn.Module) -> DistributedDataParallel:
    """Without buffers from the first process: the banks must agree by themselves."""
    return DistributedDataParallel(network, broadcast_buffers=False)


def in_step(rank: int, processes: int) -> dict[str, Tensor]:
    """What one of several processes comes to, whose gradients are averaged."""
    return trained(rank, processes, _wrapped)
