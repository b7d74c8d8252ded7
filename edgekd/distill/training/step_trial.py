"""The seconds of a training step by precision, measured on networks like those of the run.

A step is a pass of the student forwards and backwards, and of the teachers forwards; both are timed
apart, since a processor may be faster in another precision for one than for the other. The
optimiser is left out: it works in float32 whatever the precision.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median
from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["Precision", "StepSeconds", "StepTrial", "trial_steps"]

Precision = Literal["fp32", "bf16", "fp16"]
Clock = Callable[[], float]

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_WARM_UP, _ROUNDS = 1, 5
_LONG_STEP = 2.0  # seconds; where a step takes longer it is measured on fewer images
_BUDGET = 5.0  # seconds of the rounds after the first one
_FEWEST = 4


def trial_steps(candidates: int) -> int:
    """The most steps that a trial of some candidates takes, one before them included."""
    return 1 + candidates * (_WARM_UP + _ROUNDS)


@dataclass(frozen=True)
class StepSeconds:
    """Seconds of a step.

    Attributes:
        student: Of the student's pass, forwards and backwards.
        teachers: Of the passes of all teachers.
    """

    student: float
    teachers: float = 0.0

    @property
    def step(self) -> float:
        """Of the whole step."""
        return self.student + self.teachers


@dataclass
class StepTrial:
    """A student and its teachers, and the images of a step.

    Attributes:
        student: Maps pixels to outputs.
        teachers: Each maps pixels to outputs.
        image_size: S in pixels.
        images: Images of a step.
        device: Where both are.
        clock: Gives the time in seconds.
    """

    student: nn.Module
    teachers: Sequence[nn.Module]
    image_size: int
    images: int
    device: torch.device
    clock: Clock = time.perf_counter

    def seconds(self, precisions: Sequence[Precision]) -> dict[str, StepSeconds]:
        """Median seconds of a step in each precision, of steps that alternate, after a warm-up."""
        pixels = self._pixels(self.images)
        first = self._timed_step(precisions[0], pixels).step
        if first > _LONG_STEP:
            fewer = max(_FEWEST, round(self.images * _LONG_STEP / first))
            pixels = pixels[: min(fewer, self.images)]
        for _ in range(_WARM_UP):
            for precision in precisions:
                self._timed_step(precision, pixels)
        return {name: _median(times) for name, times in self._rounds(precisions, pixels).items()}

    def _rounds(
        self, precisions: Sequence[Precision], pixels: Tensor
    ) -> Mapping[str, list[StepSeconds]]:
        """Seconds of each step, in rounds of one step in each precision."""
        times: dict[str, list[StepSeconds]] = {precision: [] for precision in precisions}
        start = self.clock()
        for _ in range(_ROUNDS):
            for precision in precisions:
                times[precision].append(self._timed_step(precision, pixels))
            if self.clock() - start > _BUDGET:
                break
        return times

    def _timed_step(self, precision: Precision, pixels: Tensor) -> StepSeconds:
        teachers = self._timed(self._teach, precision, pixels) if self.teachers else 0.0
        return StepSeconds(self._timed(self._learn, precision, pixels), teachers)

    def _timed(
        self, part: Callable[[Precision, Tensor], None], precision: Precision, pixels: Tensor
    ) -> float:
        self._wait()
        start = self.clock()
        part(precision, pixels)
        self._wait()
        return self.clock() - start

    def _teach(self, precision: Precision, pixels: Tensor) -> None:
        with self._autocast(precision), torch.no_grad():
            for teacher in self.teachers:
                teacher.eval()(pixels)

    def _learn(self, precision: Precision, pixels: Tensor) -> None:
        self.student.train().zero_grad()
        with self._autocast(precision):
            outputs = self.student(pixels)
        outputs.float().square().mean().backward()

    def _autocast(self, precision: Precision) -> AbstractContextManager[object]:
        lower = precision != "fp32"
        return torch.autocast(
            self.device.type, _TYPES[precision] if lower else torch.bfloat16, enabled=lower
        )

    def _pixels(self, images: int) -> Tensor:
        shape = (images, 3, self.image_size, self.image_size)
        pixels = torch.rand(shape, generator=torch.Generator().manual_seed(0))
        return pixels.to(self.device, memory_format=torch.channels_last)

    def _wait(self) -> None:
        """Wait for the device, which works while the processor goes on."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _median(times: Sequence[StepSeconds]) -> StepSeconds:
    return StepSeconds(median(t.student for t in times), median(t.teachers for t in times))
