"""A linear student under a learnt temperature, by one process or by several (`shares.py`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pair import Objective
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from edgekd.distill.losses import class_weights
from edgekd.distill.methods import Batch, Method, MethodContext, resolve_method
from edgekd.distill.training.optimisation import make_optimizer
from edgekd.recipe import FitSection

CLASSES, SIDE = 5, 4


def flat_method(name: str = "kd", **options: Any) -> Method:
    """A method between two linear networks without batch statistics."""
    torch.manual_seed(0)
    student, teacher = (
        nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE**2, CLASSES)) for _ in range(2)
    )
    counts = (20,) * CLASSES
    context = MethodContext(counts, class_weights(counts, "none"), 100, SIDE, FitSection())
    kind, config = resolve_method({"name": name, **options})
    return kind(config, student, teacher, context)


def batch(epoch: int = 0, size: int = 8) -> Batch:
    """Always the same inputs, large ones: near zero no temperature matters."""
    raw = 20.0 * torch.randn(size, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    return Batch(raw, torch.arange(size) % CLASSES, torch.arange(size), epoch)


def learnt(
    curriculum: str, rank: int, processes: int, wrap: Callable[[Any], Any] = lambda network: network
) -> Tensor:
    """All trained values after five epochs of one step, by a process that sees its share."""
    made = flat_method(temperature={"curriculum": curriculum})
    trained = made.stages()[0].trained
    network = wrap(Objective(made))
    optimizer = make_optimizer(trained, FitSection(optimizer="sgd", learning_rate=0.01))
    for epoch in range(5):
        whole, part = batch(epoch), slice(rank, None, processes)
        sample = Batch(whole.raw[part], whole.targets[part], whole.indices[part], epoch)
        optimizer.zero_grad()
        network(sample).backward()
        optimizer.step()
    return torch.cat([p.detach().flatten() for module in trained for p in module.parameters()])


def both(rank: int, processes: int) -> dict[str, Tensor]:
    """What a process has learnt, by curriculum."""
    return {
        curriculum: learnt(curriculum, rank, processes, DistributedDataParallel)
        for curriculum in ("global", "instance")
    }
