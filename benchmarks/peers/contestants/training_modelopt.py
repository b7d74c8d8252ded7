"""NVIDIA ModelOpt's DistillationModel, as its documentation trains it in a plain loop."""

from __future__ import annotations

from typing import Any

import modelopt.torch.distill as mtd
import torch.nn.functional as F
from _training import Data, Spec, main, networks, sgd
from torch import Tensor


class Converted:
    """The student, converted; its forward pass runs the teacher as well."""

    def __init__(self, spec: Spec, data: Data) -> None:
        self._spec = spec
        teacher, student = networks(spec)
        # Its default reduction is PyTorch's "mean", over images and classes.
        loss = mtd.LogitsDistillationLoss(temperature=spec.temperature, reduction="batchmean")
        config = {
            "teacher_model": teacher,
            "criterion": loss,
            "loss_balancer": mtd.StaticLossBalancer(spec.weight),
        }
        self.student = mtd.convert(student, mode=[("kd_loss", config)])
        learnt = [one for one in self.student.parameters() if one.requires_grad]
        self.optimizer = sgd(learnt, spec)
        self.loader = data.loader()

    def begin_epoch(self, number: int) -> None:
        """Set the model's mode."""
        self.student.train()

    def step(self, batch: Any) -> Tensor:
        """A training step."""
        pixels, targets = (tensor.to(self._spec.device, non_blocking=True) for tensor in batch)
        with self._spec.autocast():
            outputs = self.student(pixels)
            hard = F.cross_entropy(outputs, targets)
            loss: Tensor = self.student.compute_kd_loss(student_loss=hard)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def end_epoch(self) -> None:
        """Nothing is left to do."""

    def predict(self, pixels: Tensor) -> Tensor:
        """The student's outputs, without the teacher's."""
        with self.student.only_student_forward():
            outputs: Tensor = self.student(pixels)
        return outputs


if __name__ == "__main__":
    main(Converted)
