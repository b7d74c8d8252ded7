"""Images by inversion of a teacher: their pixels themselves are fitted, without any generator.

Liu et al. 2022, "Data-Free Neural Architecture Search via Recursive Label Calibration" (ECCV; arXiv
2112.02086), which takes the terms of an image from Yin et al. 2020, "Dreaming to Distill".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from msgspec import Meta
from torch import Tensor, nn

from edgekd.distill.losses import image_norm, soft_cross_entropy, total_variation
from edgekd.distill.losses.precision import full_precision
from edgekd.distill.synthesis.generator import balanced_labels
from edgekd.distill.synthesis.teacher_statistics import TeacherStatistics
from edgekd.recipe import Positive, Rate, Section

__all__ = ["Inversion", "InversionSettings", "InvertedImages", "middle"]

Count = Annotated[int, Meta(ge=0)]
Weight = Annotated[float, Meta(ge=0.0)]

_BETAS = (0.5, 0.9)
_MIDDLE, _SPREAD = 0.5, 0.25
"""Pixels are 0.5 + 0.25 · z of the numbers z that are fitted, about normal as in the paper."""
_LEAST_SIDE = 16
"""Images of fewer pixels a side than this are not shown at half of their resolution."""


class InversionSettings(Section, frozen=True, kw_only=True):
    """How images are made of a teacher.

    Weights and rate are those of the paper, which makes 140,000 images on GPUs by ten rounds of
    2,000 iterations at half of the resolution and 3,000 at the whole. The numbers here are for a
    processor; the calibration shows after two or three rounds.

    Attributes:
        images: Number of images.
        batch: Images that are fitted together, whose statistics are compared with the teacher's.
        rounds: R: in the first images are fitted to labels, then each time to the teacher's outputs
            for the images of the round before.
        half: Iterations of a round at half of the resolution.
        whole: Iterations of a round at the whole resolution.
        rate: Learning rate of Adam, with β = (0.5, 0.9); a cosine takes it to 0.
        margin: Side of the canvas that is fitted, of which the teacher sees random crops, in units
            of the side that it sees.
        statistics: Weight of the distance to the statistics of the teacher's batch norm.
        first: Factor of the first layer's distance.
        variation: Weight of the total variation.
        norm: Weight of the images' norm.
    """

    images: Positive = 1024
    batch: Positive = 128
    rounds: Positive = 3
    half: Count = 100
    whole: Positive = 150
    rate: Rate = 0.25
    margin: Annotated[float, Meta(ge=1.0, le=2.0)] = 256 / 224
    statistics: Weight = 0.01
    first: Weight = 10.0
    variation: Weight = 1e-4
    norm: Weight = 1e-5


@dataclass(frozen=True)
class InvertedImages:
    """Images that were made together.

    Attributes:
        canvases: float32 [B, 3, C, C] in 0…1, C being the canvas's side.
        labels: Classes that the first round made them for, int64 [B].
        outputs: The teacher's logits for their middles [B, K].
        agreement: After each round, the share of images that the teacher takes for their class.
    """

    canvases: Tensor
    labels: Tensor
    outputs: Tensor
    agreement: tuple[float, ...]


class Inversion:
    """Makes images that a teacher takes for its own.

    Args:
        teacher: Maps pixels 0…1 [B, 3, S, S] to logits [B, K]; it is not changed.
        size: S.
        classes: K.
        settings: How they are made.
        maker: What makes images, for the refusal.
        instead: What to do for a teacher without batch norm, for the refusal.

    Raises:
        InputError: The teacher has no batch norm.
    """

    def __init__(
        self,
        teacher: nn.Module,
        size: int,
        classes: int,
        settings: InversionSettings,
        maker: str = "the inversion of a teacher",
        instead: str = "take real images",
    ) -> None:
        self.teacher = teacher.eval().requires_grad_(False)
        self.size, self.classes, self.settings = size, classes, settings
        self.side = round(size * settings.margin)
        self.remembered = TeacherStatistics(teacher, 0.0, maker, settings.first, instead)
        self._device = next(teacher.parameters()).device

    def batch(
        self,
        count: int,
        generator: torch.Generator,
        report: Callable[[], None] = lambda: None,
    ) -> InvertedImages:
        """Make images by all rounds.

        Args:
            count: B; each class is as often as any other.
            generator: Random numbers, on the CPU.
            report: Called after each iteration.
        """
        labels = balanced_labels(count, self.classes, generator).to(self._device)
        canvases, outputs = torch.empty(0), torch.empty(0)
        agreement = []
        for number in range(self.settings.rounds):
            target = outputs if number else labels
            canvases = self._round(target, generator, report)
            with torch.no_grad():
                outputs = self.teacher(middle(canvases, self.size)).float()
            agreement.append(float((outputs.argmax(dim=1) == labels).float().mean()))
        return InvertedImages(canvases, labels, outputs, tuple(agreement))

    def _round(
        self, target: Tensor, generator: torch.Generator, report: Callable[[], None]
    ) -> Tensor:
        """Canvases in 0…1, begun from noise."""
        drawn = torch.randn(len(target), 3, self.side, self.side, generator=generator)
        numbers = drawn.to(self._device).requires_grad_(True)
        halved = self.settings.half and self.size >= _LEAST_SIDE * 2
        if halved:
            self._fit(numbers, target, self.settings.half, 2, generator, report)
        best = self._fit(numbers, target, self.settings.whole, 1, generator, report)
        return pixels_of_numbers(best)

    def _fit(
        self,
        numbers: Tensor,
        target: Tensor,
        iterations: int,
        factor: int,
        generator: torch.Generator,
        report: Callable[[], None],
    ) -> Tensor:
        """Fit `numbers` in place at one resolution; returns those of the lowest loss."""
        optimizer = torch.optim.Adam([numbers], self.settings.rate, _BETAS)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
        best, lowest = numbers.detach().clone(), float("inf")
        for _ in range(iterations):
            terms = self.image_terms(self.region(numbers, generator), target, factor)
            loss = torch.stack(list(terms.values())).sum()
            if (value := float(loss.detach())) < lowest:  # of the images before the step
                best, lowest = numbers.detach().clone(), value
            (numbers.grad,) = torch.autograd.grad(loss, numbers)
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                numbers.clamp_(-_MIDDLE / _SPREAD, (1.0 - _MIDDLE) / _SPREAD)
            report()
        return best

    def region(self, numbers: Tensor, generator: torch.Generator) -> Tensor:
        """A random crop of the canvases [B, 3, S, S], mirrored half of the time.

        The rest of a canvas has no gradient in this step (the paper's regional update).
        """
        top, left = torch.randint(self.side - self.size + 1, (2,), generator=generator).tolist()
        crop = numbers[..., top : top + self.size, left : left + self.size]
        return crop.flip(-1) if int(torch.randint(2, (), generator=generator)) else crop

    def image_terms(self, numbers: Tensor, target: Tensor, factor: int = 1) -> dict[str, Tensor]:
        """The weighted terms by which images are fitted.

        Args:
            numbers: z of images [B, 3, S, S], with their graph.
            target: Classes int64 [B], or the teacher's logits [B, K] for earlier images.
            factor: Images are shown with that many times fewer pixels a side, by averages.
        """
        settings = self.settings
        shown = F.avg_pool2d(numbers, factor) if factor > 1 else numbers
        with self.remembered.observed() as statistics:
            outputs = self.teacher(pixels_of_numbers(shown))
        if target.is_floating_point():
            calibrated = soft_cross_entropy(outputs, target)
        else:
            calibrated = full_precision(F.cross_entropy)(outputs, target)
        return {
            "cross_entropy": calibrated,
            "statistics": settings.statistics * self.remembered.distance(statistics),
            "variation": settings.variation * total_variation(shown),
            "norm": settings.norm * image_norm(shown),
        }


def pixels_of_numbers(numbers: Tensor) -> Tensor:
    """Pixels in 0…1 of the numbers z that are fitted."""
    return _MIDDLE + _SPREAD * numbers


def middle(canvases: Tensor, size: int) -> Tensor:
    """The middle square of canvases [B, C, H, W], `size` pixels a side."""
    top, left = ((side - size) // 2 for side in canvases.shape[-2:])
    return canvases[..., top : top + size, left : left + size]
