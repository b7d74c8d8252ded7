"""How good an architecture is, by the supernet's weights and images that it has not learnt from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from edgekd.distill.losses import soft_cross_entropy
from edgekd.metrics.task import metrics_task
from edgekd.models.mobile import MobileOptions
from edgekd.seals import read_kept, write_sealed
from edgekd.tune.supernet.evolution import Fitness
from edgekd.tune.supernet.images import SearchImages
from edgekd.tune.supernet.training import normalised
from edgekd.tune.supernet.weights import Supernet, recalibrated

__all__ = ["SCORES", "Judge"]

SCORES = "scores.json"
"""Name of the file of what was judged."""

_BATCH = 128
_SAVED = 10


@dataclass
class Judge:
    """Judges architectures, and keeps what it found for a search that was interrupted.

    The score is the task's selection metric of their answers to the held-out images: of images that
    were made, where the teacher's answer is right, it is their agreement with the teacher.

    Attributes:
        supernet: The trained weights.
        images: The images.
        teacher: Maps pixels 0…1 to logits.
        task: Name of the task.
        device: Where networks run.
        place: File of what was judged.
        purpose: Names all that a fitness depends on besides the architecture.
    """

    supernet: Supernet
    images: SearchImages
    teacher: nn.Module
    task: str
    device: torch.device
    place: Path
    purpose: str
    _known: dict[bytes, Fitness] = field(default_factory=dict)
    _written: int = 0

    def __post_init__(self) -> None:
        """See the images once, and read what was judged before."""
        self._batches = [normalised(each.to(self.device)) for each in self.images.plain(_BATCH)]
        self._pixels = [each.to(self.device) for each in self.images.judging(_BATCH)]
        with torch.no_grad():
            self._outputs = torch.cat([self.teacher(each).float() for each in self._pixels])
        if stored := read_kept(self.place, self.purpose):
            rows = msgspec.json.decode(stored, type=list[tuple[MobileOptions, Fitness]])
            self._known = {_key(options): fitness for options, fitness in rows}
            self._written = len(rows)

    def fitness(self, options: MobileOptions) -> Fitness:
        """The fitness of an architecture; see `Fitness`."""
        key = _key(options)
        if key not in self._known:
            self._known[key] = self._scores_of(options)
            if len(self._known) >= self._written + _SAVED:
                self.write()
        return self._known[key]

    def write(self) -> None:
        """Write what was judged."""
        rows: list[Any] = [
            (msgspec.json.decode(key), fitness) for key, fitness in self._known.items()
        ]
        write_sealed(self.place, msgspec.json.encode(rows), self.purpose)
        self._written = len(rows)

    def _scores_of(self, options: MobileOptions) -> Fitness:
        network = self.supernet.network(options).to(self.device)
        recalibrated(network, self._batches)
        outputs = self.outputs_of(network)
        loss = float(soft_cross_entropy(outputs, self._outputs))
        answers = outputs.cpu().numpy().astype(np.float32)
        quality = metrics_task(self.task).selection(answers, self.images.targets)
        return Fitness(round(quality, 6), round(-loss, 6))

    @torch.no_grad()
    def outputs_of(self, network: nn.Module) -> Tensor:
        """Logits of a network for the held-out images."""
        return torch.cat([network(normalised(each)).float() for each in self._pixels])


def _key(options: MobileOptions) -> bytes:
    return msgspec.json.encode(options)
