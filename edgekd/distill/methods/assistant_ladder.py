"""Assistants: networks of sizes between teacher and student, trained before it as stages of their
own (Mirzadeh et al. 2020, "Improved Knowledge Distillation via Teacher Assistant", AAAI).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated

import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekd.distill.methods.base import Batch, Method, MethodContext, Stage, Terms, seeded
from edgekd.distill.task import Trait
from edgekd.models import NormalisedNetwork, build_network, count_params, pixels_of
from edgekd.recipe import FitSection, ModelSection, Section

__all__ = ["LadderConfig", "LadderMethod"]

_AT_ONCE = 64


class LadderConfig(Section, frozen=True, kw_only=True):
    """Keys of the methods with assistants.

    Attributes:
        assistants: Their networks, from the largest to the smallest; by default a ResNet-10 of 4.9
            million parameters.
        assistant_fit: How each is trained; by default as the student.
        chained: Each assistant learns from the one before it, and the first from the teacher;
            otherwise all learn from the teacher.
        temperature: T of the softened outputs, for assistants and student.
        weight: λ in (1 − λ)·CE + λ·T²·KL, for assistants and student.
    """

    assistants: tuple[ModelSection, ...] = (ModelSection(arch="resnet10t"),)
    assistant_fit: FitSection | None = None
    chained: bool = False
    temperature: Annotated[float, Meta(gt=0.0)] = 4.0
    weight: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.7


class LadderMethod(Method):
    """A method that trains assistants before the student.

    A finished assistant is kept in the run's folder, and reused for other students and other ways
    to be taught by it.
    """

    config: LadderConfig
    requires = frozenset({Trait.SOFTENED_OUTPUTS, Trait.IMAGE_LEVEL})

    def __init__(
        self,
        config: LadderConfig,
        student: nn.Module,
        teacher: nn.Module | None,
        context: MethodContext,
    ) -> None:
        super().__init__(config, student, teacher, context)
        outputs = len(context.class_counts)
        self.assistants = nn.ModuleList()
        for number, section in enumerate(config.assistants):
            with seeded(context.seed + number):
                built = build_network(section, outputs)
            self.assistants.append(NormalisedNetwork(built.network, built.mean, built.std))

    def notes(self) -> Iterator[str]:
        """The base's, and what the assistants cost."""
        yield from super().notes()
        fit = self.config.assistant_fit or self.context.fit
        for section, network in zip(self.config.assistants, self.assistants, strict=True):
            size = count_params(network) / 1e6
            cost = f"{size:.2f} M parameters, is trained first, for {fit.epochs} epochs"
            yield f"an assistant, {section.arch} of {cost}"

    def term_weights(self) -> dict[str, float]:
        """Those of the recipe."""
        return {"ce": 1 - self.config.weight, "kd": self.config.weight}

    def assistant_stages(self) -> tuple[Stage, ...]:
        """A stage for each assistant, from the largest to the smallest."""
        config = self.config
        shared = (config.chained, config.temperature, config.weight, self.context.fit)
        return tuple(
            Stage(
                f"assistant_{number + 1}",
                (network,),
                partial(self._assistant_terms, number),
                network,
                fit=config.assistant_fit,
                depends_on=("assistants", config.assistants[: number + 1], *shared),
            )
            for number, network in enumerate(self.assistants)
        )

    def _assistant_terms(self, number: int, batch: Batch) -> Terms:
        outputs = self.assistants[number](batch.pixels)
        if number and self.config.chained:
            return self.taught_terms(outputs, self.assistant_outputs(number - 1, batch), batch)
        return self.taught_terms(outputs, self.teacher_outputs(batch), batch)

    def assistant_outputs(self, number: int, batch: Batch) -> Tensor:
        """A trained assistant's outputs for a batch [B, K], without gradient."""
        with torch.no_grad():
            outputs: Tensor = self.assistants[number](batch.pixels)
        return outputs

    def teacher_outputs_for(self, images: NDArray[np.uint8], indices: Sequence[int]) -> Tensor:
        """The teacher's outputs [N, K], on the CPU, for some images as a device sees them.

        Args:
            images: uint8 [M, S, S, 3], of which a batch is read at a time.
            indices: Positions of the images [N].
        """
        device = next(self.student.parameters()).device
        parts = []
        for first in range(0, len(indices), _AT_ONCE):
            batch = torch.from_numpy(np.array(images[indices[first : first + _AT_ONCE]]))
            parts.append(self.teacher_outputs(None, pixels_of(batch.to(device))).float().cpu())
        return torch.cat(parts)

    def taught_terms(self, outputs: Tensor, teacher: Tensor, batch: Batch) -> Terms:
        """The hard-label loss and the softened one, weighted."""
        config = self.config
        hard = self.hard_label(outputs, batch.targets)
        soft = self.softened_loss(outputs, teacher, config.temperature)
        return {"ce": (1 - config.weight) * hard, "kd": config.weight * soft}
