"""torchdistill's DistillationBox with its KDLoss, as its image classification example runs it."""

from __future__ import annotations

from typing import Any

import torch
from _training import Data, Spec, main, networks
from torch import Tensor
from torch.utils.data import RandomSampler
from torchdistill.core.distillation import get_distillation_box


class Box:
    """The box, its loader and its processes before and after."""

    def __init__(self, spec: Spec, data: Data) -> None:
        self._spec = spec
        teacher, student = networks(spec)
        device = torch.device(spec.device)
        self._box = get_distillation_box(
            teacher, student, {"train": data.train}, _config(spec, data), device, None, False, 1
        )
        self.student = self._box.student_model
        self.optimizer = self._box.optimizer
        self.loader = self._box.train_data_loader

    def begin_epoch(self, number: int) -> None:
        """The box's process before an epoch."""
        self._box.pre_epoch_process(epoch=number)

    def step(self, batch: Any) -> Tensor:
        """A training step; only the loader's batches have torchdistill's supplement."""
        pixels, targets, supplement = batch if len(batch) == 3 else (*batch, {})
        device = self._spec.device
        pixels = pixels.to(device, non_blocking=True)
        targets = targets.to(device, non_blocking=True)
        self._box.pre_forward_process()
        with self._spec.autocast():
            loss: Tensor = self._box.forward_process(pixels, targets, supplement)
        self._box.post_forward_process(loss=loss)
        return loss

    def end_epoch(self) -> None:
        """The box's process after an epoch."""
        self._box.post_epoch_process()

    def predict(self, pixels: Tensor) -> Tensor:
        """The student's outputs."""
        outputs: Tensor = self.student(pixels)
        return outputs


def _config(spec: Spec, data: Data) -> dict[str, Any]:
    outputs = {
        f"{role}_module_{key}": value
        for role in ("student", "teacher")
        for key, value in {"path": ".", "io": "output"}.items()
    }
    loss = {
        "key": "KDLoss",
        "kwargs": {
            **outputs, "temperature": spec.temperature, "alpha": 1 - spec.weight,
            "reduction": "batchmean",
        },
    }  # fmt: skip
    terms = {"kd": {"criterion": loss, "weight": 1.0}}
    return {
        "num_epochs": spec.epochs,
        "train_data_loader": {
            "dataset_id": "train",
            "sampler": {"class_or_func": RandomSampler},
            "kwargs": {**data.options(spec.batch), "drop_last": True},
        },
        "teacher": {"forward_proc": "forward_batch_only", "requires_grad": False},
        "student": {"forward_proc": "forward_batch_only"},
        "optimizer": {"key": "SGD", "kwargs": {"lr": spec.rate, "momentum": spec.momentum}},
        "criterion": {"key": "WeightedSumLoss", "kwargs": {"sub_terms": terms}},
    }


if __name__ == "__main__":
    main(Box)
