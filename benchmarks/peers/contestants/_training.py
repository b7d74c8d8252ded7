"""A contestant's process of `training.py`: distil a network, an epoch on request.

Runs in environments that have no edgekd.

    python CONTESTANT.py SPEC

SPEC is the JSON file that `training_contest.py` writes; see `Spec`. What a contestant answers, it
prints as lines of JSON; everything that its libraries print goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import numpy as np
import timm
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision.transforms import v2

__all__ = ["Data", "Distiller", "Replies", "Spec", "Stopwatch", "main", "networks", "sgd"]


@dataclass(frozen=True)
class Spec:
    """What a contestant is to train, and how.

    Attributes:
        mode: `check` (a few given batches, for their losses), `step` (batches in memory, no
            augmentation) or `epoch` (loader, augmentation, validation, checkpoint).
        folder: Folder with `images.npy`, `targets.npy`, the parts, and the networks' weights.
        precision: `fp32`, or `bf16` by autocast.
        device: `cpu` or `cuda`.
        threads: CPU threads of the arithmetic.
        workers: Processes that load images, beside it.
        epochs: Epochs that will be asked for.
        batch: Images of a batch.
        networks: timm's names of teacher and student.
        classes: Number of classes.
        normalisation: Mean and standard deviation of the pixels 0…1, for every channel.
        rate: Learning rate of SGD, constant.
        momentum: Momentum of SGD.
        temperature: T of the softened outputs.
        weight: λ in (1 − λ)·CE + λ·T²·KL.
        colour: Brightness, contrast and saturation change by factors in 1 ± colour.
        batches: Positions of the images of each batch, for `check`.
        recipe: edgekd's recipe, for edgekd.
    """

    mode: str
    folder: str
    precision: str
    device: str
    threads: int
    workers: int
    epochs: int
    batch: int
    networks: tuple[str, str]
    classes: int
    normalisation: tuple[float, float]
    rate: float
    momentum: float
    temperature: float
    weight: float
    colour: float
    batches: Sequence[Sequence[int]]
    recipe: dict[str, Any]

    @classmethod
    def read(cls, file: str) -> Spec:
        """The spec of a file."""
        return cls(**json.loads(Path(file).read_text()))

    def autocast(self) -> Any:
        """The context of a forward pass in this precision."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device, torch.bfloat16)


class Replies:
    """The lines of answers; prints of libraries are kept out of them."""

    def __init__(self) -> None:
        self._stream = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def send(self, value: Any) -> None:
        """Send an answer."""
        self._stream.write(json.dumps(value) + "\n")
        self._stream.flush()


class Distiller(Protocol):
    """A tool that distils: one step of it, and what surrounds the steps of an epoch."""

    loader: Iterable[Any]
    student: nn.Module
    optimizer: torch.optim.Optimizer

    def begin_epoch(self, number: int) -> None:
        """Prepare an epoch."""

    def step(self, batch: Any) -> Tensor:
        """Train by a batch of the loader, and return its loss."""

    def end_epoch(self) -> None:
        """Finish an epoch."""

    def predict(self, pixels: Tensor) -> Tensor:
        """The student's outputs in validation."""


class _Images(Dataset[tuple[Tensor, int]]):
    """Decoded images, transformed one by one, as torchvision's data sets do it."""

    def __init__(
        self, spec: Spec, positions: Sequence[int], transform: Callable[[Tensor], Tensor]
    ) -> None:
        folder = Path(spec.folder)
        self._images = np.load(folder / "images.npy", mmap_mode="r")
        self._targets = np.load(folder / "targets.npy")
        self._positions = positions
        self._transform = transform

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        index = self._positions[position]
        pixels = torch.from_numpy(np.array(self._images[index])).permute(2, 0, 1)
        return self._transform(pixels), int(self._targets[index])


class _QuarterTurn(nn.Module):
    """A turn by a random multiple of 90°."""

    def forward(self, pixels: Tensor) -> Tensor:
        return torch.rot90(pixels, int(torch.randint(4, ())), (-2, -1))


class Data:
    """The data sets and loaders that the peers get: their own tools on the decoded images."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        folder = Path(spec.folder)
        self._train = np.load(folder / "train.npy").tolist()
        mean, std = ([value] * 3 for value in spec.normalisation)
        normalised = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)]
        changes = [v2.RandomHorizontalFlip(), v2.RandomVerticalFlip(), _QuarterTurn()]
        colour = v2.ColorJitter(spec.colour, spec.colour, spec.colour)
        self.plain = v2.Compose(normalised)
        self.train = _Images(spec, self._train, v2.Compose([*changes, colour, *normalised]))
        validation = np.load(folder / "validation.npy").tolist()
        self.validation = _Images(spec, validation, self.plain)

    def options(self, size: int) -> dict[str, Any]:
        """Options of a loader with batches of `size` images."""
        return {
            "batch_size": size,
            "num_workers": self._spec.workers,
            "persistent_workers": self._spec.workers > 0,
            "pin_memory": self._spec.device == "cuda",
        }

    def loader(self) -> DataLoader[Any]:
        """The loader of the training epochs."""
        options = self.options(self._spec.batch)
        return DataLoader(self.train, sampler=RandomSampler(self.train), drop_last=True, **options)

    def validation_loader(self) -> DataLoader[Any]:
        """The loader of the validation."""
        return DataLoader(self.validation, **self.options(2 * self._spec.batch))

    def in_memory(self, batches: Sequence[Sequence[int]]) -> list[tuple[Tensor, Tensor]]:
        """Batches of images at these positions in the data set, not augmented, on the device."""
        found = []
        for positions in batches:
            part = _Images(self._spec, positions, self.plain)
            pixels, targets = zip(*(part[at] for at in range(len(positions))), strict=True)
            pair = torch.stack(pixels), torch.tensor(targets)
            found.append((pair[0].to(self._spec.device), pair[1].to(self._spec.device)))
        return found

    def training_batches(self) -> list[Sequence[int]]:
        """The positions of an epoch's batches, in the order of the data set."""
        size = self._spec.batch
        whole = len(self._train) // size
        return [self._train[at * size : (at + 1) * size] for at in range(whole)]


def networks(spec: Spec) -> tuple[nn.Module, nn.Module]:
    """Teacher, frozen and in evaluation mode, and student, with the weights of the files."""
    pair = []
    for role, name in zip(("teacher", "student"), spec.networks, strict=True):
        network = timm.create_model(name, num_classes=spec.classes)
        network.load_state_dict(load_file(Path(spec.folder) / f"{role}.safetensors"))
        pair.append(network.to(spec.device))
    return pair[0].eval().requires_grad_(False), pair[1]


def sgd(parameters: Iterable[nn.Parameter], spec: Spec) -> torch.optim.SGD:
    """The optimiser."""
    return torch.optim.SGD(parameters, lr=spec.rate, momentum=spec.momentum)


def main(make: Callable[[Spec, Data], Distiller]) -> None:
    """Answer the lines of stdin, each with the times of an epoch; or the losses of a check."""
    replies, spec = Replies(), Spec.read(sys.argv[1])
    torch.set_num_threads(spec.threads)
    torch.manual_seed(0)
    data = Data(spec)
    distiller = make(spec, data)
    if spec.mode == "check":
        replies.send({"losses": _losses(distiller, data.in_memory(spec.batches))})
        return
    run = _Epochs(spec, distiller, data)
    replies.send("ready")
    for number, _ in enumerate(sys.stdin):
        replies.send(run.epoch(number))


def _losses(distiller: Distiller, batches: Sequence[tuple[Tensor, Tensor]]) -> list[float]:
    distiller.begin_epoch(0)
    return [float(distiller.step(batch).detach()) for batch in batches]


class Stopwatch:
    """Seconds of an epoch and its steps, on the wall and of this process on the processors.

    Args:
        device: Device of the networks.
    """

    def __init__(self, device: str) -> None:
        self._device = device

    def begin(self) -> None:
        """Begin an epoch."""
        self._steps: list[tuple[float, float]] = []
        self._waited = 0.0
        self._begun = self._asked = self._now()

    def obtained(self) -> None:
        """The next batch is there."""
        self._obtained = self._read()
        self._waited += self._obtained[0] - self._asked[0]

    def stepped(self) -> None:
        """The weights are updated."""
        self._asked = self._read()
        wall, processor = (end - start for end, start in self._since(self._obtained))
        self._steps.append((wall, processor))

    def trained(self) -> None:
        """The last step is done."""
        self._training = self._now()[0] - self._begun[0]

    def end(self) -> dict[str, float]:
        """The times: of the epoch, its training part, waiting, and a step."""
        end = self._now()
        return {
            "seconds": end[0] - self._begun[0],
            "processor": end[1] - self._begun[1],
            "training": self._training,
            "waited": self._waited,
            "step": self._step(),
            "step_processor": median(processor for _, processor in self._steps),
            "steps": len(self._steps),
        }

    def _step(self) -> float:
        """Seconds of a step; on a GPU the mean, since the processor runs ahead of it."""
        if self._device == "cuda":
            return (self._training - self._waited) / len(self._steps)
        return median(wall for wall, _ in self._steps)

    def _since(self, start: tuple[float, float]) -> Iterable[tuple[float, float]]:
        return zip(self._asked, start, strict=True)

    def _now(self) -> tuple[float, float]:
        if self._device == "cuda":
            torch.cuda.synchronize()
        return self._read()

    def _read(self) -> tuple[float, float]:
        return time.perf_counter(), time.process_time()


class _Epochs:
    """The epochs of a peer, and the times of their parts."""

    def __init__(self, spec: Spec, distiller: Distiller, data: Data) -> None:
        self._spec = spec
        self._distiller = distiller
        self._whole = spec.mode == "epoch"
        self._batches = None if self._whole else data.in_memory(data.training_batches())
        self._validation = data.validation_loader() if self._whole else None
        self._watch = Stopwatch(spec.device)

    def epoch(self, number: int) -> dict[str, float]:
        """Train one epoch; in the mode `epoch`, validate and write a checkpoint, too."""
        watch = self._watch
        watch.begin()
        loss = self._train(number)
        watch.trained()
        if self._whole:
            self._score()
            self._save(float(loss))
        return watch.end()

    def _train(self, number: int) -> Tensor:
        distiller, loss = self._distiller, torch.zeros((), device=self._spec.device)
        distiller.begin_epoch(number)
        for batch in self._batches if self._batches is not None else distiller.loader:
            self._watch.obtained()
            loss = loss + distiller.step(batch).detach()
            self._watch.stepped()
        distiller.end_epoch()
        return loss

    def _save(self, loss: float) -> None:
        distiller = self._distiller
        weights, optimizer = distiller.student.state_dict(), distiller.optimizer.state_dict()
        state = {"model": weights, "optimizer": optimizer, "loss": loss}
        torch.save(state, f"{sys.argv[1]}.pt")

    def _score(self) -> float:
        """Share of the validation images that are classified rightly."""
        assert self._validation is not None
        self._distiller.student.eval()
        right = torch.zeros((), device=self._spec.device)
        with torch.no_grad(), self._spec.autocast():
            for pixels, targets in self._validation:
                outputs = self._distiller.predict(pixels.to(self._spec.device))
                right += (outputs.argmax(1) == targets.to(self._spec.device)).sum()
        return float(right) / len(self._validation.dataset)  # type: ignore[arg-type]
