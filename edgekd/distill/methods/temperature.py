"""The temperature of a method's softened outputs: constant, or learnt as a curriculum (CTKD).

A method whose config has a `temperature` of type `Temperature` has the module that computes it in
`Method.softening`, and trains it with `Method.softening_trained`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Literal

import torch
from msgspec import Meta
from torch import Tensor, nn

from edgekd.distill.losses.li2023 import Rise, bounded_temperature, reversal, reversed_gradient
from edgekd.distill.losses.precision import full_precision
from edgekd.distill.training.optimisation import OwnSGD
from edgekd.recipe import Section

__all__ = [
    "CurriculumTemperature",
    "FixedTemperature",
    "GlobalTemperature",
    "InstanceTemperature",
    "Softening",
    "Temperature",
]

_HIDDEN = 32  # width of the network of `instance`; our choice


class CurriculumTemperature(Section, frozen=True, kw_only=True):
    """A temperature that is learnt adversarially, harder from epoch to epoch (CTKD).

    The student descends the distillation loss and θ ascends it, by a factor that rises with the
    epochs; T = floor + span · sigmoid(θ). With the paper's defaults T starts at 15.6 in 1…21. θ is
    trained by SGD, whatever optimiser the student has: AdamW would cancel the factor.

    Attributes:
        curriculum: `global` learns one temperature; `instance` one for each image, by a small
            network on the logits of both networks.
        epochs: Epochs over which the factor rises to 1. The paper takes 10 of 240.
        rise: `cosine`, or `linear`.
        floor: Lowest temperature.
        span: Highest minus lowest temperature.
        start: Initial θ.
        learning_rate: Peak of θ's own rate, which rises and falls with the student's; default of
            the released code.
        momentum: Momentum of θ's SGD; default of the released code.
        weight_decay: Weight decay of θ and of the small network. The released code decays θ like
            every other parameter, also while its gradient is 0; here the default is no decay.
    """

    curriculum: Literal["global", "instance"]
    epochs: Annotated[int, Meta(ge=1)] = 10
    rise: Rise = "cosine"
    floor: Annotated[float, Meta(gt=0.0)] = 1.0
    span: Annotated[float, Meta(gt=0.0)] = 20.0
    start: float = 1.0
    learning_rate: Annotated[float, Meta(gt=0.0)] = 0.05
    momentum: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.9
    weight_decay: Annotated[float, Meta(ge=0.0)] = 0.0


Temperature = Annotated[float, Meta(gt=0.0)] | CurriculumTemperature
"""In a recipe: `temperature: 4`, or `temperature: {curriculum: global}`."""


class Softening(nn.Module, ABC):
    """Computes T from logits: a number, a tensor [], or one for each image [B]."""

    @abstractmethod
    def forward(self, student: Tensor, teacher: Tensor, epoch: int) -> float | Tensor:
        """The temperature T.

        Args:
            student: Logits [B, K].
            teacher: Logits [B, K].
            epoch: Counted from 0.
        """

    def logged_values(self) -> dict[str, Tensor]:
        """Values for columns of the history."""
        return {}


class FixedTemperature(Softening):
    """A constant temperature."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, student: Tensor, teacher: Tensor, epoch: int) -> float:
        """T, whatever the logits."""
        return self.value


class _LearntTemperature(Softening):
    """Temperatures from raw values θ, which are trained by the SGD of `own_sgd`."""

    def __init__(self, section: CurriculumTemperature) -> None:
        super().__init__()
        self.section = section
        self.own_sgd = OwnSGD(section.learning_rate, section.momentum, section.weight_decay)
        self._latest: Tensor | None = None

    @abstractmethod
    def raw(self, student: Tensor, teacher: Tensor) -> Tensor:
        """θ: one for all images [], or one for each [B]."""

    @full_precision
    def forward(self, student: Tensor, teacher: Tensor, epoch: int) -> Tensor:
        """T of these logits; gradients to θ are reversed, those to the student are not."""
        section = self.section
        factor = reversal(epoch + 1, section.epochs, section.rise)
        raw = reversed_gradient(self.raw(student, teacher), factor)
        temperature = bounded_temperature(raw, section.floor, section.span)
        self._latest = temperature.detach().mean()
        return temperature

    def logged_values(self) -> dict[str, Tensor]:
        """The mean temperature of the latest batch."""
        return {} if self._latest is None else {"temperature": self._latest}


class GlobalTemperature(_LearntTemperature):
    """One θ for all images."""

    def __init__(self, section: CurriculumTemperature) -> None:
        super().__init__(section)
        self.theta = nn.Parameter(torch.tensor(section.start))

    def raw(self, student: Tensor, teacher: Tensor) -> Tensor:
        """θ itself, []."""
        return self.theta


class InstanceTemperature(_LearntTemperature):
    """θ of an image from both networks' logits, by two layers whose initial output is `start`.

    The released code lacks the paper's network; width and initialisation are ours. Logits enter
    detached: their gradient would be reversed, and the student would ascend the loss.
    """

    def __init__(self, section: CurriculumTemperature, classes: int) -> None:
        super().__init__(section)
        last = nn.Linear(_HIDDEN, 1)
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, section.start)
        self.layers = nn.Sequential(nn.Linear(2 * classes, _HIDDEN), nn.ReLU(), last)

    def raw(self, student: Tensor, teacher: Tensor) -> Tensor:
        """θ of each image, [B]."""
        both = torch.cat((student.detach(), teacher.detach()), dim=1)
        raw: Tensor = self.layers(both).squeeze(1)
        return raw
