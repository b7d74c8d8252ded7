"""A tiny teacher, and engines for it."""

from __future__ import annotations

import torch
from tiny_methods import network

from edgekd.distill.teachers.engines.engine import lower_teacher

IMAGES = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def made(seed: int = 0, subclass_of: tuple[int, ...] = ()):
    of = network(seed, 4, 8, 8, 16, subclass_of=subclass_of).eval().requires_grad_(False)
    of.network.fc.weight.mul_(20)
    return of


def lowered(of, forward=None, features=False, precision="fp32", name="openvino"):
    return lower_teacher(
        name, of, forward or of, IMAGES, features=features, precision=precision, threads=1
    )
