"""The formulas of the distillation papers, written out once more in plain torch and float64.

Nothing of edgekd is used here, so that a mistake in its losses or in how a method puts them
together cannot repeat itself. Networks come as timm networks behind a normalisation, of which only
timm's own halves are called.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Seen(NamedTuple):
    """What a network made of images: the last map, the pooled vector, the head's outputs."""

    maps: Tensor
    pooled: Tensor
    outputs: Tensor


def see(network: Any, pixels: Tensor) -> Seen:
    plain = network.network
    maps = plain.forward_features((pixels - network.mean) / network.std)
    pooled = maps.mean(dim=(2, 3))
    outputs = pooled @ plain.fc.weight.T + plain.fc.bias
    return Seen(maps.double(), pooled.double(), outputs.double())


# Logits ----------------------------------------------------------------------------------------


def log_probabilities(logits: Tensor) -> Tensor:
    return logits - logits.exp().sum(dim=1, keepdim=True).log()


def cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor, smoothing: float) -> Tensor:
    """Σ w_y ℓ / Σ w_y; of a smoothed target, ε/K falls to each class, by that class's weight."""
    log_p, weights = log_probabilities(logits), weights.double()
    own = -weights[targets] * log_p[torch.arange(len(targets)), targets]
    spread = -(weights * log_p).sum(dim=1) / logits.shape[1]
    return ((1 - smoothing) * own + smoothing * spread).sum() / weights[targets].sum()


def divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """KL(teacher ‖ student) of each row of logits."""
    p, q = log_probabilities(teacher), log_probabilities(student)
    return (p.exp() * (p - q)).sum(dim=1)


def kl(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    return temperature**2 * divergence(student / temperature, teacher / temperature).mean()


def decoupled(
    student: Tensor, teacher: Tensor, targets: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """TCKD and NCKD (Zhao et al. 2022, equation 7), row by row."""
    target, others = [], []
    for s, t, y in zip(student / temperature, teacher / temperature, targets, strict=True):
        p, q = t.exp() / t.exp().sum(), s.exp() / s.exp().sum()
        pair = [(p[y], q[y]), (1 - p[y], 1 - q[y])]
        target.append(sum(a * (a / b).log() for a, b in pair))
        rest = [k for k in range(len(s)) if k != y]
        p, q = p[rest] / p[rest].sum(), q[rest] / q[rest].sum()
        others.append((p * (p / q).log()).sum())
    means = (temperature**2 * torch.stack(one).mean() for one in (target, others))
    return next(means), next(means)


# Relations -------------------------------------------------------------------------------------


def huber(one: Tensor, other: Tensor) -> Tensor:
    gap = (one - other).abs()
    return torch.where(gap < 1, gap**2 / 2, gap - 0.5).mean()


def distances(features: Tensor) -> Tensor:
    apart = (features[:, None] - features[None, :]).norm(dim=2)
    return apart / apart[apart > 0].mean()


def cosines(features: Tensor) -> Tensor:
    between = features[None, :] - features[:, None]
    length = between.norm(dim=2, keepdim=True)
    unit = torch.where(length > 0, between / length.clamp(min=1e-30), torch.zeros_like(between))
    return torch.einsum("ijd,ikd->ijk", unit, unit)


def gram(maps: Tensor) -> Tensor:
    flat = maps.flatten(2)
    return torch.einsum("bcp,bdp->bcd", flat, flat) / maps[0].numel()


def relations(student: Seen, teacher: Seen, adapter: nn.Sequential) -> dict[str, Tensor]:
    gap = gram(adapted(adapter, student.maps)) - gram(teacher.maps)
    return {
        "distance": huber(distances(student.pooled), distances(teacher.pooled)),
        "angle": huber(cosines(student.pooled), cosines(teacher.pooled)),
        "channel": (gap**2).mean().sqrt(),
    }


def adapted(adapter: nn.Sequential, maps: Tensor) -> Tensor:
    """1×1 convolution, batch norm by the batch's own statistics, ReLU."""
    conv, norm, _ = adapter
    assert conv.kernel_size == (1, 1)
    out = torch.einsum("bchw,dc->bdhw", maps, conv.weight[:, :, 0, 0].double())
    out = out + conv.bias.double()[:, None, None]
    mean = out.mean(dim=(0, 2, 3), keepdim=True)
    spread = ((out - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
    unit = (out - mean) / (spread + norm.eps).sqrt()
    scaled = unit * norm.weight.double()[:, None, None] + norm.bias.double()[:, None, None]
    return scaled * (scaled > 0)


def attention(maps: Tensor) -> Tensor:
    """Mean of squares over the channels, of unit length over the positions."""
    energy = (maps**2).mean(dim=1).flatten(1)
    return energy / (energy**2).sum(dim=1, keepdim=True).sqrt()


# Self-supervision ------------------------------------------------------------------------------


def similarity(head: nn.Sequential, pooled: Tensor) -> Tensor:
    """Cosines [3·B, B] of the turned views and the normal ones, views image by image."""
    first, _, last = head
    hidden = pooled @ first.weight.double().T + first.bias.double()
    out = hidden * (hidden > 0) @ last.weight.double().T + last.bias.double()
    unit = out / (out**2).sum(dim=1, keepdim=True).sqrt()
    turned = [row for index, row in enumerate(unit) if index % 4]
    return torch.stack(turned) @ unit[::4].T


def believed(scores: Tensor, answers: list[int], ratio: float) -> list[int]:
    """Rows by the rank of the right answer: all that are right, ⌊ratio·wrong⌋ of the next."""
    ranks = [int((row > row[answer]).sum()) for row, answer in zip(scores, answers, strict=True)]
    right = ranks.count(0)
    order = sorted(range(len(ranks)), key=lambda row: (ranks[row], row))
    return order[: right + int(ratio * (len(ranks) - right))]


# CRCKD -----------------------------------------------------------------------------------------


class Banks(NamedTuple):
    """Rows of the student and of the teacher, their labels, and the rows that a batch drew."""

    student: Tensor
    teacher: Tensor
    labels: Tensor
    rows: Tensor
    drawn: Tensor


def unit(layer: nn.Linear, pooled: Tensor) -> Tensor:
    out = pooled @ layer.weight.double().T + layer.bias.double()
    return out / out.norm(dim=1, keepdim=True)


def contrast(own: Tensor, bank: Tensor, drawn: Tensor, positives: int, tau: float) -> Tensor:
    """One side of CCD in the first batch, whose mean score sets Z."""
    scores = torch.stack([(bank[rows] @ z / tau).exp() for z, rows in zip(own, drawn, strict=True)])
    u = scores / (scores.mean() * len(bank))
    noise = (drawn.shape[1] - positives) / len(bank)
    found = (u / (u + noise + 1e-7)).log()[:, :positives].mean(dim=1)
    refused = (noise / (u + noise + 1e-7)).log()[:, positives:].sum(dim=1)
    return -(found + refused).mean()


def centroids(bank: Tensor, seen: Tensor, rows: Tensor, labels: Tensor, keep: float) -> Tensor:
    """Of the bank after the batch was taken in."""
    bank = bank.clone()
    for row, vector in zip(rows, seen, strict=True):
        mixed = keep * bank[row] + (1 - keep) * vector
        bank[row] = mixed / mixed.norm()
    means = [(bank[labels == c] * (bank[labels == c] > 0)).mean(dim=0) for c in range(5)]
    return torch.stack([mean / mean.norm() for mean in means])


def category_terms(
    embeddings: Any, student: Tensor, teacher: Tensor, banks: Banks, config: Any
) -> dict[str, Tensor]:
    own, guide = unit(embeddings["student"], student), unit(embeddings["teacher"], teacher)
    tau, positives = config.temperature, config.positives
    sides = ((own, banks.teacher), (guide, banks.student))
    both = [contrast(z, bank, banks.drawn, positives, tau) for z, bank in sides]
    pairs = ((own, banks.student), (guide, banks.teacher))
    near, far = (
        z @ centroids(bank, z, banks.rows, banks.labels, config.momentum).T / tau
        for z, bank in pairs
    )
    return {"contrast": both[0] + both[1], "relation": divergence(near, far).mean()}


def ramp(epoch: int, length: float) -> float:
    return math.exp(-5 * (1 - min(epoch, length) / length) ** 2)
