"""Training on the grid of an int8 file: the stage that finishes a student.

Weights and inputs of the student's layers are rounded in simulated int8, as in the files that the
backends make: all layers but the first, which stays in float there. The weights that are learnt are
float, and so is the checkpoint. Everything else is the method's last stage: its objective, its
samples, its teacher, its augmentation.

The ranges of the layers' inputs are those of unaugmented training images, observed on the float
student again before each validation: so the backends will calibrate it. Batch norm keeps its
statistics, which are part of the exported layers.

Sources: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", section 3 (simulated quantisation, straight-through gradients);
Mishra & Marr 2018, "Apprentice" (ICLR), scheme C (distillation goes on at low precision);
Krishnamoorthi 2018, "Quantizing deep convolutional networks for efficient inference" (arXiv
1806.08342), section 3.2.3 (batch norm with frozen statistics).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from edgekd.distill.losses.precision import full_precision
from edgekd.distill.methods import Method, Player, Stage
from edgekd.distill.samples.sample_kinds import Continued
from edgekd.models import NormalisedNetwork, logits_of
from edgekd.models.simulated_int8 import Range, ranges_observed, simulated_int8
from edgekd.recipe import FinishSection, FitSection

__all__ = ["FINISH", "Int8Grid", "stage_on_grid"]

FINISH = "finish"
"""Name of the stage."""

T = TypeVar("T")


class Int8Grid(nn.Module):
    """The ranges of a student's layers, which are part of a stage's training checkpoints.

    Args:
        student: The student; it is not part of this module.
        images: Images that the ranges are observed on, uint8 [N, S, S, 3].
    """

    lows: Tensor
    highs: Tensor
    observed: Tensor
    outdated: Tensor

    def __init__(self, student: NormalisedNetwork, images: NDArray[np.uint8]) -> None:
        super().__init__()
        self._student = (student,)  # in a tuple, where PyTorch does not look for modules
        self._images = images
        self._ranges: dict[str, Range] | None = None
        self._names = tuple(self._observed(images[:1]))
        self.register_buffer("lows", torch.zeros(len(self._names)))
        self.register_buffer("highs", torch.zeros(len(self._names)))
        self.register_buffer("observed", torch.zeros((), dtype=torch.bool))
        self.register_buffer("outdated", torch.ones((), dtype=torch.bool))
        self.register_load_state_dict_post_hook(Int8Grid._forget)  # type: ignore[no-untyped-call]

    @property
    def student(self) -> NormalisedNetwork:
        """The student."""
        return self._student[0]

    @contextmanager
    def simulated(self) -> Iterator[None]:
        """Inside the block the student computes in simulated int8, its first layer in float."""
        with simulated_int8(self.student.network, self.ranges, self._names[1:]):
            yield

    @contextmanager
    def in_training(self) -> Iterator[None]:
        """The same for a training step, with the statistics of batch norm as they are."""
        norms = [m for m in self.student.modules() if isinstance(m, _BatchNorm) and m.training]
        for norm in norms:
            norm.eval()
        try:
            with self.simulated():
                yield
        finally:
            for norm in norms:
                norm.train()
        self.outdated.fill_(True)

    def refresh(self) -> None:
        """Observe the ranges again if the student was trained meanwhile."""
        if self.outdated:
            self.observe()

    @property
    def ranges(self) -> dict[str, Range]:
        """The range of each layer's input, in the order of computation."""
        if self._ranges is None:
            if not self.observed:
                self.observe()
            spans = zip(self.lows.tolist(), self.highs.tolist(), strict=True)
            self._ranges = dict(zip(self._names, spans, strict=True))
        return self._ranges

    def observe(self) -> None:
        """Observe the ranges on the float student."""
        spans = torch.tensor([*self._observed(self._images).values()])
        self.lows.copy_(spans[:, 0])
        self.highs.copy_(spans[:, 1])
        self.observed.fill_(True)
        self.outdated.fill_(False)
        self._ranges = None

    def _observed(self, images: NDArray[np.uint8]) -> dict[str, Range]:
        training = {module: module.training for module in self.student.modules()}
        with ranges_observed(self.student.network) as ranges:
            full_precision(logits_of)(self.student, images)
        for module, mode in training.items():
            module.training = mode
        return ranges

    def _forget(self, _: Any) -> None:
        self._ranges = None


class _OnGrid(nn.Module):
    """The student in simulated int8, for validation."""

    def __init__(self, grid: Int8Grid) -> None:
        super().__init__()
        self._grid = (grid,)

    def forward(self, pixels: Tensor) -> Tensor:
        (grid,) = self._grid
        grid.refresh()
        with grid.simulated():
            return _outputs(grid.student, pixels)


@full_precision
def _outputs(student: nn.Module, pixels: Tensor) -> Tensor:
    outputs: Tensor = student(pixels)
    return outputs


def stage_on_grid(method: Method, last: Stage, grid: Int8Grid, section: FinishSection) -> Stage:
    """The stage that follows a method's last one: the same, on the grid.

    Its epochs count on from those of the last stage, so that no ramp begins again. Its best epoch
    is the one with the best validation metric of the student in simulated int8.

    Args:
        method: The method.
        last: Its last stage.
        grid: The grid of its student, a part of the method.
        section: The recipe's section.
    """
    before = last.fit or method.context.fit
    return dataclasses.replace(
        last,
        name=FINISH,
        objective=last.objective and _on_grid(last.objective, grid),
        step=last.step and _on_grid(last.step, grid),
        evaluated=_OnGrid(grid),
        criterion=None,
        samples=Continued(last.samples, before.epochs),
        fit=_finishing(before, section),
        players={name: _slowed(player, grid) for name, player in last.players.items()},
        followers=(*last.followers, grid),
    )


def _on_grid(function: Callable[..., T], grid: Int8Grid) -> Callable[..., T]:
    """`function` while the student is on the grid, in float32: bfloat16 has fewer values than int8
    between two powers of two.
    """

    @full_precision
    def computed(*args: Any) -> T:
        with grid.in_training():
            return function(*args)

    return computed


def _finishing(fit: FitSection, section: FinishSection) -> FitSection:
    return msgspec.structs.replace(
        fit, epochs=section.epochs, learning_rate=section.learning_rate,
        image_sizes=(), average=0.0, keep="best", stop_after=0, stop_gain=0.0,
    )  # fmt: skip


def _slowed(player: Player, grid: Int8Grid) -> Player:
    """The player with the stage's own optimiser, where it updates the student."""
    trains = any(grid.student in module.modules() for module in player.modules)
    return dataclasses.replace(player, optimiser=None) if trains else player
