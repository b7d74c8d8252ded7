"""The trial of a step: what it runs, in which order, and what it makes of the times."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from edgekd.distill.training.step_trial import StepSeconds, StepTrial, trial_steps


class Noted(nn.Module):
    """Notes precision, mode and number of images of each pass."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 2, 1)
        self.passes: list[tuple[torch.dtype, bool, bool, int]] = []

    def forward(self, pixels: Tensor) -> Tensor:
        outputs: Tensor = self.layer(pixels)
        self.passes.append((outputs.dtype, self.training, torch.is_grad_enabled(), len(pixels)))
        return outputs


class Scripted:
    """A clock that goes on by the next of some durations with each step."""

    def __init__(self, durations: Sequence[float]) -> None:
        self.durations, self.now, self.reads = list(durations), 0.0, 0
        self.trial: StepTrial | None = None

    def __call__(self) -> float:
        return self.now

    def step(self, *_: object) -> None:
        self.now += self.durations[min(self.reads, len(self.durations) - 1)]
        self.reads += 1


def scripted(monkeypatch: pytest.MonkeyPatch, durations: Sequence[float], images: int) -> StepTrial:
    clock = Scripted(durations)
    trial = StepTrial(Noted(), [], 8, images, torch.device("cpu"), clock)
    monkeypatch.setattr(StepTrial, "_learn", lambda self, precision, pixels: clock.step())
    return trial


def test_steps_alternate_in_both_precisions_and_end_with_gradients():
    student, teacher = Noted(), Noted()
    trial = StepTrial(student, [teacher], 8, 4, torch.device("cpu"))
    seconds = trial.seconds(["fp32", "bf16"])
    assert set(seconds) == {"fp32", "bf16"}
    assert all(each.student > 0 and each.teachers > 0 for each in seconds.values())
    kinds = [kind for kind, *_ in student.passes]
    assert kinds[:3] == [torch.float32, torch.float32, torch.bfloat16]
    assert kinds[1::2] == [torch.float32] * len(kinds[1::2])
    assert kinds[2::2] == [torch.bfloat16] * len(kinds[2::2])
    assert len(kinds) == trial_steps(2)
    assert kinds == [kind for kind, *_ in teacher.passes]
    assert {(training, grad) for _, training, grad, _ in student.passes} == {(True, True)}
    assert {(training, grad) for _, training, grad, _ in teacher.passes} == {(False, False)}
    assert student.layer.weight.grad is not None
    assert teacher.layer.weight.grad is None


def test_the_median_is_taken_after_the_warm_up(monkeypatch):
    # One step alone, one of each to warm up, then five rounds of two.
    durations = [9.0, 9.0, 9.0, 0.1, 0.2, 0.1, 0.2, 0.5, 0.2, 0.1, 0.9, 0.1, 0.2]
    trial = scripted(monkeypatch, durations, 4)
    seconds = trial.seconds(["fp32", "bf16"])
    assert {name: each.step for name, each in seconds.items()} == pytest.approx(
        {"fp32": 0.1, "bf16": 0.2}
    )
    assert seconds["fp32"].teachers == 0.0


def test_a_trial_of_long_steps_is_short(monkeypatch):
    trial = scripted(monkeypatch, [4.0], 64)
    sizes = []
    timed = StepTrial._timed_step

    def noted(self: StepTrial, precision: str, pixels: Tensor) -> StepSeconds:
        sizes.append(len(pixels))
        return timed(self, precision, pixels)

    monkeypatch.setattr(StepTrial, "_timed_step", noted)
    trial.seconds(["fp32", "bf16"])
    assert sizes[0] == 64
    assert set(sizes[1:]) == {32}  # 4 s a step: half of the images
    assert len(sizes) == 5  # one round after the warm-up takes more than the 5 s


def test_no_trial_has_more_images_than_the_batch(monkeypatch):
    trial = scripted(monkeypatch, [100.0], 3)
    assert trial.seconds(["fp32"]) == {"fp32": StepSeconds(100.0)}
