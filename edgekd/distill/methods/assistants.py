"""`assistants`: a student taught by networks of sizes between it and the teacher, one after the
other or together, by weights of differential evolution (Ganta et al. 2022, arXiv 2206.12005).
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekd.distill.methods.assistant_ladder import LadderConfig, LadderMethod
from edgekd.distill.methods.base import Batch, MethodContext, Stage, Terms
from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.teachers.evolution import evolved_weights
from edgekd.errors import InputError
from edgekd.models import NormalisedNetwork, logits_of

__all__ = ["TeachingAssistants", "TeachingAssistantsConfig"]


class TeachingAssistantsConfig(LadderConfig, frozen=True, kw_only=True):
    """Keys of the method, besides those of the assistants.

    Attributes:
        mixture: The student learns from all assistants, whose probabilities are averaged by
            weights; otherwise from the last one alone.
        with_teacher: The teacher is part of the mixture.
    """

    mixture: bool = True
    with_teacher: bool = False

    def __post_init__(self) -> None:
        """Refuse a ladder without assistants, and a teacher in no mixture."""
        if not self.assistants:
            raise ValueError("`assistants` is empty: name a network, or take the method kd")
        if self.with_teacher and not self.mixture:
            raise ValueError("`with_teacher` is of a mixture, and `mixture` is false")


class TeachingAssistants(LadderMethod):
    """(1 − λ)·CE + λ·T²·KL(p_E ‖ student), with p_E = Σ_m w_m · σ(z_m / T) over the assistants.

    The weights w on the simplex are those under which the labels of the validation part are most
    likely at T = 1, found by differential evolution before the student's training.
    """

    name = "assistants"
    Config = TeachingAssistantsConfig
    config: TeachingAssistantsConfig
    weights: Tensor

    def __init__(
        self,
        config: TeachingAssistantsConfig,
        student: nn.Module,
        teacher: nn.Module | None,
        context: MethodContext,
    ) -> None:
        super().__init__(config, student, teacher, context)
        count = len(config.assistants) + config.with_teacher
        self.register_buffer("weights", torch.full((count,), 1.0 / count), persistent=False)

    def stages(self) -> tuple[Stage, ...]:
        """The assistants, then the student."""
        student = Stage(
            "student", (self.student,), self._objective, self.student, prepare=self._weigh
        )
        return (*self.assistant_stages(), student)

    def logged_values(self) -> Terms:
        """The weight of each member of the mixture, by its number."""
        values = super().logged_values()
        if not self.config.mixture:
            return values
        members = {f"weight_{n + 1}": weight for n, weight in enumerate(self.weights)}
        return {**values, **members}

    def _weigh(self, samples: RunSamples) -> None:
        """Find the weights on the validation part.

        Raises:
            InputError: It is empty.
        """
        if not self.config.mixture:
            return
        images, targets = samples.part("validation")
        if not len(images):
            message = "the weights of assistants are found on the validation part, which is empty"
            raise InputError(message, "raise `split.validation`")
        evolved = evolved_weights(
            self._members(images), torch.from_numpy(np.asarray(targets)), len(samples.classes),
            self.context.task, seed=self.context.seed,
        )  # fmt: skip
        self.weights.copy_(torch.tensor(evolved))

    def _members(self, images: NDArray[np.uint8]) -> Tensor:
        """Outputs of each member [M, V, K] for images uint8 [V, S, S, 3], in evaluation mode."""
        outputs = [
            torch.from_numpy(logits_of(cast("NormalisedNetwork", network), images))
            for network in self.assistants
        ]
        if self.config.with_teacher:
            outputs.append(self.teacher_outputs_for(images, range(len(images))))
        return torch.stack(outputs).double()

    def _objective(self, batch: Batch) -> Terms:
        student = self.student(batch.pixels)
        last = len(self.assistants) - 1
        if not self.config.mixture:
            return self.taught_terms(student, self.assistant_outputs(last, batch), batch)
        outputs = [self.assistant_outputs(number, batch) for number in range(last + 1)]
        if self.config.with_teacher:
            outputs.append(self.teacher_outputs(batch))
        return self.taught_terms(student, self.mixture(outputs), batch)

    def mixture(self, outputs: list[Tensor]) -> Tensor:
        """Outputs [B, K] whose softened probabilities are p_E, of those of each member [B, K]."""
        temperature = self.config.temperature
        softened = torch.stack([each.float() / temperature for each in outputs])
        return temperature * self.context.task.mean_probabilities(softened, self.weights)
