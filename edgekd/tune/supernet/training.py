"""Training of a supernet: in each step one architecture, drawn uniformly, learns from the teacher.

The path is that of Guo et al. 2020, "Single Path One-Shot"; the loss that of Liu et al. 2022 (arXiv
2112.02086): cross-entropy to the teacher's outputs, both softened by T = 3, without a factor T².
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated

import torch
from msgspec import Meta
from safetensors.torch import load, save
from torch import Tensor, nn

from edgekd.distill.losses import soft_cross_entropy
from edgekd.errors import InputError
from edgekd.recipe import Positive, Rate, Section
from edgekd.seals import read_kept, write_sealed
from edgekd.tune.supernet.choices import drawn
from edgekd.tune.supernet.images import SearchImages
from edgekd.tune.supernet.weights import Supernet

__all__ = ["WEIGHTS", "SupernetSettings", "SupernetTraining", "normalised"]

WEIGHTS = "supernet.safetensors"
"""Name of the file of the weights."""

_MOMENTUM = 0.9
_DONE, _MOMENTA = "done", "momentum "
"""Names of the number of steps, and of the optimiser's tensors, beside the weights."""
_MIDDLE, _SPREAD = 0.5, 0.5
_STEP = 1_000_003


class SupernetSettings(Section, frozen=True, kw_only=True):
    """How the supernet is trained.

    The paper takes 150,000 steps of batches of 1,024 at a learning rate of 0.5; the rate here is
    that one for batches of 64.

    Attributes:
        steps: Steps.
        batch: Images of a step.
        rate: Learning rate of SGD with momentum 0.9, which falls linearly to 0.
        decay: Weight decay.
        temperature: T of teacher and supernet.
        clip: Largest norm of a step's gradient.
        saved: Steps after which an interrupted training can continue.
    """

    steps: Positive = 2000
    batch: Positive = 64
    rate: Rate = 0.03
    decay: Annotated[float, Meta(ge=0.0)] = 4e-5
    temperature: Rate = 3.0
    clip: Rate = 5.0
    saved: Positive = 250


@dataclass(frozen=True)
class SupernetTraining:
    """The training of a supernet on images.

    Attributes:
        settings: Its numbers.
        images: The images.
        teacher: Maps pixels 0…1 to logits.
        device: Where it is trained.
        seed: Seed of paths, images and augmentation.
    """

    settings: SupernetSettings
    images: SearchImages
    teacher: nn.Module
    device: torch.device
    seed: int = 0

    def run(
        self,
        supernet: Supernet,
        folder: Path,
        purpose: str,
        report: Callable[[int, float], None] = lambda steps, loss: None,
    ) -> None:
        """Train it, continuing what an equal training has left in the folder.

        Args:
            supernet: Its weights are changed.
            folder: Receives the weights and the optimiser's state after every so many steps.
            purpose: Names all that the weights depend on.
            report: Receives, whenever they are written, the number of steps that are done and the
                mean loss since the last time.

        Raises:
            InputError: The loss is not finite.
        """
        supernet.to(self.device)
        optimizer = torch.optim.SGD(
            supernet.parameters(), self.settings.rate, _MOMENTUM, weight_decay=self.settings.decay
        )
        place = folder / WEIGHTS
        stored = read_kept(place, purpose)
        done = _restore(supernet, optimizer, load(stored)) if stored else 0
        losses: list[Tensor] = []
        while done < self.settings.steps:
            losses.append(self._step(supernet, optimizer, done))
            done += 1
            if done % self.settings.saved == 0 or done == self.settings.steps:
                loss = float(torch.stack(losses).mean())
                _refuse_infinite(loss, done)
                write_sealed(place, save(_state(supernet, optimizer, done)), purpose)
                report(done, loss)
                losses.clear()

    def _step(self, supernet: Supernet, optimizer: torch.optim.SGD, number: int) -> Tensor:
        """One step, which depends on its number alone and not on those before; returns its loss."""
        settings = self.settings
        generator = torch.Generator().manual_seed(self.seed * _STEP + number)
        pixels = self.images.batch(settings.batch, generator).to(self.device)
        with torch.no_grad():
            target = self.teacher(pixels)
        path = drawn(supernet.choices, Random(self.seed * _STEP + number))
        outputs = supernet(path, normalised(pixels))
        loss = soft_cross_entropy(outputs, target, settings.temperature)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(supernet.parameters(), settings.clip)
        for group in optimizer.param_groups:
            group["lr"] = settings.rate * (1.0 - number / settings.steps)
        optimizer.step()
        return loss.detach()


def normalised(pixels: Tensor) -> Tensor:
    """What the supernet's networks take for pixels in 0…1: the default of a recipe's student."""
    return (pixels - _MIDDLE) / _SPREAD


def _state(supernet: Supernet, optimizer: torch.optim.SGD, done: int) -> dict[str, Tensor]:
    state = {name: weight.detach().cpu() for name, weight in supernet.named_parameters()}
    for name, weight in supernet.named_parameters():
        momentum = optimizer.state[weight].get("momentum_buffer")
        if momentum is not None:  # none of a weight that no path has had yet
            state[_MOMENTA + name] = momentum.cpu()
    return {**state, _DONE: torch.tensor(done)}


def _restore(supernet: Supernet, optimizer: torch.optim.SGD, state: dict[str, Tensor]) -> int:
    """Take weights and momenta; returns the number of steps that are done."""
    with torch.no_grad():
        for name, weight in supernet.named_parameters():
            weight.copy_(state[name])
            if _MOMENTA + name in state:
                momentum = state[_MOMENTA + name].to(weight.device)
                optimizer.state[weight]["momentum_buffer"] = momentum
    return int(state[_DONE])


def _refuse_infinite(loss: float, done: int) -> None:
    if not loss < float("inf"):
        message = f"the supernet's loss is {loss} after {done} steps"
        raise InputError(message, "lower `supernet.rate` in the file of --space")
