"""Networks whose outputs are averages: of several networks, or of several views of an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from edgekd.distill.task import TrainingTask
from edgekd.distill.teachers.averaging import mean_logits
from edgekd.models import NormalisedNetwork

__all__ = ["Average", "Ensemble", "TeacherNetwork", "TurnedViews", "average_of", "turned"]

Average = Callable[[Tensor, Tensor], Tensor]
"""Outputs [B, …] of several outputs [M, B, …] and their weights [M]."""


def average_of(task: TrainingTask, rule: Literal["probabilities", "logits"]) -> Average:
    """The function that averages outputs of a task."""
    return mean_logits if rule == "logits" else task.mean_probabilities


class Ensemble(nn.Module):
    """Several networks, whose weighted average is the output.

    Args:
        members: Networks of the same outputs.
        weights: Their weights, w ≥ 0 with sum 1.
        average: How their outputs are averaged.
    """

    weights: Tensor

    def __init__(
        self, members: Sequence[NormalisedNetwork], weights: Sequence[float], average: Average
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self._average = average
        divisions = {member.subclass_of for member in members}
        self.subclass_of = divisions.pop() if len(divisions) == 1 else ()
        self.register_buffer("weights", torch.tensor(weights), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Averaged outputs of the task [B, …]."""
        return self._average(torch.stack([each(pixels) for each in self.members]), self.weights)

    def outputs(self, pixels: Tensor) -> Tensor:
        """Averaged outputs of the heads, which may be of subclasses."""
        heads: list[Tensor] = [each.outputs(pixels) for each in self.members]  # type: ignore[operator]
        return self._average(torch.stack(heads), self.weights)


class TurnedViews(nn.Module):
    """A network whose outputs for several views of each image are averaged.

    Args:
        network: A `NormalisedNetwork` or an `Ensemble`.
        views: 1, 2, 4 or 8; see `turned`.
        average: How the outputs are averaged.
    """

    def __init__(self, network: NormalisedNetwork | Ensemble, views: int, average: Average) -> None:
        super().__init__()
        self.network = network
        self.views = views
        self.subclass_of = network.subclass_of
        self._average = average

    def forward(self, pixels: Tensor) -> Tensor:
        """Averaged outputs of the task [B, …]."""
        return self._mean([self.network(view) for view in turned(pixels, self.views)])

    def outputs(self, pixels: Tensor) -> Tensor:
        """Averaged outputs of the head, which may be of subclasses."""
        return self._mean([self.network.outputs(view) for view in turned(pixels, self.views)])

    def _mean(self, outputs: list[Tensor]) -> Tensor:
        weights = torch.full((len(outputs),), 1 / len(outputs), device=outputs[0].device)
        return self._average(torch.stack(outputs), weights)


TeacherNetwork = NormalisedNetwork | Ensemble | TurnedViews


def turned(pixels: Tensor, views: int) -> Iterator[Tensor]:
    """Views of images [B, C, S, S], the images themselves first.

    Args:
        pixels: The images.
        views: 1 for the images alone; 2 for those and their mirror images; 4 for all quarter
            turns; 8 for all quarter turns of both.
    """
    sides = (pixels, pixels.flip(3)) if views in (2, 8) else (pixels,)
    for side in sides:
        for quarters in range(4 if views >= 4 else 1):
            yield torch.rot90(side, quarters, (2, 3))
