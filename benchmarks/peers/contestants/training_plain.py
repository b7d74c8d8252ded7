"""The reference: an eager loop, as PyTorch's tutorial on distillation writes it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from _training import Data, Spec, main, networks, sgd
from torch import Tensor


class Loop:
    """Teacher, student, two losses, a step."""

    def __init__(self, spec: Spec, data: Data) -> None:
        self._spec = spec
        self._teacher, self.student = networks(spec)
        self.optimizer = sgd(self.student.parameters(), spec)
        self.loader = data.loader()

    def begin_epoch(self, number: int) -> None:
        """Set the student's mode."""
        self.student.train()

    def step(self, batch: Any) -> Tensor:
        """A training step."""
        spec = self._spec
        pixels, targets = (tensor.to(spec.device, non_blocking=True) for tensor in batch)
        with spec.autocast():
            with torch.no_grad():
                teacher = self._teacher(pixels)
            student = self.student(pixels)
            hard = F.cross_entropy(student, targets)
            log_q = F.log_softmax(student / spec.temperature, dim=1)
            p = F.softmax(teacher / spec.temperature, dim=1)
            soft = spec.temperature**2 * F.kl_div(log_q, p, reduction="batchmean")
            loss: Tensor = (1 - spec.weight) * hard + spec.weight * soft
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def end_epoch(self) -> None:
        """Nothing is left to do."""

    def predict(self, pixels: Tensor) -> Tensor:
        """The student's outputs."""
        outputs: Tensor = self.student(pixels)
        return outputs


if __name__ == "__main__":
    main(Loop)
