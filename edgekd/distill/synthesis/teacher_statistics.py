"""What a teacher remembers of the images that it was trained on: its batch norm's statistics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from edgekd.distill.losses import batch_statistics, statistics_distance
from edgekd.distill.losses.precision import full_precision
from edgekd.distill.training.processes import mean_over_processes
from edgekd.errors import InputError

__all__ = ["LayerStatistics", "TeacherStatistics"]


@dataclass
class LayerStatistics:
    """Mean and variance of what each layer of batch norm received, two tensors [C] each."""

    means: list[Tensor] = field(default_factory=list)
    variances: list[Tensor] = field(default_factory=list)


class TeacherStatistics(nn.Module):
    """How far the statistics of images are from those that a teacher was trained with.

    What is compared may be a moving average over batches, whose new share alone has a gradient: a
    single batch need not be as diverse as a whole data set.

    Args:
        teacher: The network; it is not changed, and does not become a part of this module.
        momentum: Share of the average of the batches before; 0 compares each batch by itself.
        maker: What makes images by them, for its refusal: `the method NAME`.
        first: Weight of the first layer's distance; that of the others is 1.
        instead: What to take for a teacher without batch norm, for the refusal.

    Raises:
        InputError: The teacher has no batch norm with running statistics.
    """

    mean: Tensor
    variance: Tensor
    batches: Tensor

    def __init__(
        self,
        teacher: nn.Module,
        momentum: float,
        maker: str,
        first: float = 1.0,
        instead: str = "a method with images, such as kd",
    ) -> None:
        super().__init__()
        self._layers: list[Any] = [module for module in teacher.modules() if _remembers(module)]
        if not self._layers:
            message = (
                f"{maker} makes images by what batch norm remembers of the training images, and "
                "the teacher has no batch norm"
            )
            hint = "take a teacher with batch norm (resnet…, mobilenet…, efficientnet…)"
            raise InputError(message, f"{hint}, or {instead}")
        self.momentum = momentum
        self._weights = [first, *[1.0] * (len(self._layers) - 1)]
        self.register_buffer("mean", torch.zeros(sum(self._sizes)))
        self.register_buffer("variance", torch.zeros(sum(self._sizes)))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    @property
    def _sizes(self) -> list[int]:
        """Channels of each layer."""
        return [len(layer.running_mean) for layer in self._layers]

    @contextmanager
    def observed(self) -> Iterator[LayerStatistics]:
        """The statistics of one pass of the teacher in the block, with their graph."""
        statistics = LayerStatistics()

        def observe(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            mean, variance = batch_statistics(inputs[0])
            statistics.means.append(mean)
            statistics.variances.append(variance)

        handles = [layer.register_forward_pre_hook(observe) for layer in self._layers]
        try:
            yield statistics
        finally:
            for handle in handles:
                handle.remove()

    @full_precision
    def distance(self, statistics: LayerStatistics) -> Tensor:
        """Σ over layers of w · (‖μ̂ − μ‖₂ + ‖v̂ − v‖₂), a scalar.

        Source: Yin et al. 2020 and Fang et al. 2022, as released; there w is 10 or 1 for the first.
        """
        means = self._averaged(self.mean, statistics.means)
        variances = self._averaged(self.variance, statistics.variances)
        distances = [
            weight * statistics_distance(mean, variance, layer.running_mean, layer.running_var)
            for weight, mean, variance, layer in zip(
                self._weights, means, variances, self._layers, strict=True
            )
        ]
        return torch.stack(distances).sum()

    @torch.no_grad()
    def remember(self, statistics: LayerStatistics) -> None:
        """Let the moving average follow the batches of all processes."""
        for average, values in (
            (self.mean, statistics.means),
            (self.variance, statistics.variances),
        ):
            followed = torch.cat(self._averaged(average, values))
            average.copy_(mean_over_processes(followed))
        self.batches += 1

    def _averaged(self, average: Tensor, values: list[Tensor]) -> list[Tensor]:
        """Of each layer, the average with its new values; before the first batch, these alone."""
        share = self.momentum * (self.batches > 0).to(values[0].dtype)
        before = torch.split(average.to(values[0].dtype), self._sizes)
        return [
            (1.0 - share) * value + share * old for old, value in zip(before, values, strict=True)
        ]


def _remembers(module: nn.Module) -> bool:
    """Whether a module is batch norm, whatever its library calls it, with running statistics."""
    running = (getattr(module, name, None) for name in ("running_mean", "running_var"))
    return all(isinstance(each, Tensor) for each in running)
