"""Quantisation-aware fine-tuning: a student learns to give the same outputs in int8 as in float.

For a student whose int8 files fail their gates: a few passes over the training images, in which its
layers are in simulated int8 and its teacher is itself in float. No labels are needed, since
all that is learnt is to withstand rounding.

The optimiser is SGD, whose steps shrink with the error that is left; AdamW moves every weight by
about the learning rate, however small the error. On an ImageNet MobileNetV2 at 96 px with a planted
outlier channel, 28 steps with the first term of the loss alone brought the KL divergence with AdamW
(1e-5) from 0.88 to 0.68, but left the float outputs agreeing on 35 % of images; with SGD (1e-4)
from 0.75 to 0.61, agreeing on 88 %. With both terms SGD reaches 0.66 and 89 %. So few steps do not
repair so sensitive a layer: leaving it in float does, and is tried first.

Sources: Jacob et al. 2018, section 3 (simulated quantisation, straight-through gradients); Mishra
& Marr 2018, "Apprentice", scheme C (fine-tuning a low-precision student by distillation from full
precision); here both are the same network.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekd.data.augment import augment
from edgekd.errors import InputError
from edgekd.lower.graph import DeployGraph
from edgekd.lower.int8.ranges import observe_ranges
from edgekd.models.simulated_int8 import Range, simulated_int8
from edgekd.recipe import AugmentSection

__all__ = ["FineTuning", "ImitationLoss", "fine_tune_quantisation_aware"]

ImitationLoss = Callable[[Tensor, Tensor, float], Tensor]
"""Loss of a student's outputs beside a teacher's at a temperature, see `EvidenceTask`."""

_TURNS = AugmentSection(flip=True, quarter_turns=True, zoom=0.0, colour=0.0)
"""Augmentations that keep pixel values: the observed ranges hold for them too."""

_MIN_IMAGES = 8
_MOMENTUM = 0.9
_GREATEST_GRADIENT = 1.0
"""Largest norm of a step's gradient; the first steps of a sensitive student exceed it."""


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """Settings of the fine-tuning.

    Attributes:
        epochs: Passes over the images.
        learning_rate: Initial rate of SGD; it falls to 0 along a half cosine. Ten times the
            default spoilt an intact ImageNet MobileNetV2.
        batch_size: Images in a step.
        temperature: Temperature of student and teacher in the loss.
        range_images: Number of images that the layers' input ranges are observed on.
        held_out: Number of images kept from training to choose the epoch by; at most an eighth.
        bits: Width of the integers.
        seed: Seed of the order and the augmentation of the images.
    """

    epochs: int = 2
    learning_rate: float = 1e-4
    batch_size: int = 32
    temperature: float = 1.0
    range_images: int = 256
    held_out: int = 256
    bits: int = 8
    seed: int = 0


def fine_tune_quantisation_aware(
    graph: DeployGraph,
    images: NDArray[np.uint8],
    *,
    imitation_loss: ImitationLoss,
    say: Callable[[str], None],
    settings: FineTuning | None = None,
) -> nn.Module:
    """A copy of `graph.network` whose weights withstand int8, for the backends to lower again.

    Batch norm stays as it is in evaluation, and so does dropout. Before each epoch the ranges are
    observed again on the float network: that is how the backends will calibrate it. The loss is the
    imitation loss of the network in simulated int8 beside the float student as it was, plus that of
    the network in float: no backend rounds exactly as the simulation does, and a network that is
    right both ways is right between them. The epoch with the least loss on held-out images is kept,
    or the start, if no epoch was better.

    Args:
        graph: The float student; it stays as it is.
        images: uint8 [N, S, S, 3] of the training part; may be a memory map.
        imitation_loss: Imitation loss of the task.
        say: Takes one line of progress.
        settings: Settings; None for the defaults.

    Returns:
        A float network in eval mode, without gradients; the keys of its `state_dict` are those of
        `graph.network`.

    Raises:
        InputError: There are fewer than 8 images.
    """
    if len(images) < _MIN_IMAGES:
        message = f"{len(images)} images are too few to train on"
        raise InputError(message, f"give the training images, {_MIN_IMAGES} at least")
    return _FineTuner(graph, images, settings or FineTuning(), imitation_loss, say).run()


class _FineTuner:
    """One run: the float teacher, the student that changes, and the random draws."""

    def __init__(
        self,
        graph: DeployGraph,
        images: NDArray[np.uint8],
        settings: FineTuning,
        imitation_loss: ImitationLoss,
        say: Callable[[str], None],
    ) -> None:
        self._teacher = graph
        self._student = copy.deepcopy(graph).eval().requires_grad_(True)
        self._images = images
        self._settings = settings
        self._loss = imitation_loss
        self._say = say
        self._generator = torch.Generator().manual_seed(settings.seed)
        order = torch.randperm(len(images), generator=self._generator)
        held_out = min(settings.held_out, len(images) // 8)
        self._held_out, self._trained = order[:held_out], order[held_out:]

    def run(self) -> nn.Module:
        ranges = self._observe()
        start = least = self._validate(ranges, "before quantisation-aware fine-tuning")
        best = copy.deepcopy(self._network.state_dict())
        optimizer = torch.optim.SGD(
            self._network.parameters(), lr=self._settings.learning_rate, momentum=_MOMENTUM
        )
        for epoch in range(self._settings.epochs):
            self._train(optimizer, ranges, epoch)
            ranges = self._observe()
            divergence = self._validate(ranges, f"epoch {epoch + 1} of {self._settings.epochs}")
            if divergence < least:
                best, least = copy.deepcopy(self._network.state_dict()), divergence
        if least == start:
            self._say("no epoch was better than the student as it was; it is kept")
        self._network.load_state_dict(best)
        return self._network.requires_grad_(False)

    @property
    def _network(self) -> nn.Module:
        return self._student.network

    def _observe(self) -> dict[str, Range]:
        chosen = self._trained[: self._settings.range_images]
        return observe_ranges(self._student, self._images[np.sort(chosen.numpy())])

    @torch.no_grad()
    def _validate(self, ranges: dict[str, Range], moment: str) -> float:
        """Sum of both mean losses of the held-out images; infinite if not finite."""
        total = torch.zeros(2)
        for batch in self._batches(self._held_out):
            inputs = self._student.normalise(batch)
            total += self._losses(inputs, ranges, temperature=1.0) * len(batch)
        in_int8, in_float = (total / len(self._held_out)).tolist()
        self._say(f"{moment}: loss {in_int8:.2g} in int8, {in_float:.2g} in float")
        both = float(in_int8 + in_float)
        return both if math.isfinite(both) else math.inf

    def _train(
        self, optimizer: torch.optim.Optimizer, ranges: dict[str, Range], epoch: int
    ) -> None:
        shuffled = torch.randperm(len(self._trained), generator=self._generator)
        steps = math.ceil(len(shuffled) / self._settings.batch_size)
        for step, batch in enumerate(self._batches(self._trained[shuffled])):
            done = (epoch + step / steps) / self._settings.epochs
            for group in optimizer.param_groups:
                group["lr"] = self._settings.learning_rate * (1 + math.cos(math.pi * done)) / 2
            # Turning commutes with normalisation, which is the same for every pixel.
            inputs = augment(self._student.normalise(batch), _TURNS, self._generator)
            loss = self._losses(inputs, ranges, self._settings.temperature).sum()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self._network.parameters(), _GREATEST_GRADIENT)
            optimizer.step()

    def _losses(self, inputs: Tensor, ranges: dict[str, Range], temperature: float) -> Tensor:
        """Imitation losses [2] of the student in int8 and in float."""
        with torch.no_grad():
            target = self._teacher.network(inputs)
        with simulated_int8(self._network, ranges, bits=self._settings.bits):
            in_int8 = self._network(inputs)
        in_float = self._network(inputs)
        losses = [self._loss(outputs, target, temperature) for outputs in (in_int8, in_float)]
        return torch.stack(losses)

    def _batches(self, chosen: Tensor) -> Iterator[Tensor]:
        for part in torch.split(chosen, self._settings.batch_size):
            # Sorted reads are faster from a memory map; within a batch the order has no effect.
            yield torch.from_numpy(np.array(self._images[np.sort(part.numpy())]))
