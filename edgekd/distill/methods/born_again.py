"""`born_again`: a network taught by an earlier one of its own architecture, for features from which
few images teach new classes (Tian, Wang, Krishnan, Tenenbaum, Isola 2020, "Rethinking Few-Shot
Image Classification: a Good Embedding Is All You Need?", ECCV, arXiv 2003.11539; the generations
are those of Furlanello et al. 2018, "Born-Again Neural Networks", ICML).
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator
from functools import partial
from typing import Annotated

import torch
from msgspec import Meta
from torch import Tensor, nn

from edgekd.distill.methods.base import Batch, Method, MethodContext, Stage, Terms
from edgekd.distill.task import Trait
from edgekd.models import count_params
from edgekd.recipe import Section

__all__ = ["BornAgain", "BornAgainConfig"]


class BornAgainConfig(Section, frozen=True, kw_only=True):
    """Keys of the method.

    Attributes:
        generations: How many networks are taught by the one before them; the last is the student.
        temperature: T of the softened outputs, 4 in the released code.
        weight: λ in (1 − λ)·CE + λ·T²·KL; the released code's commands weigh both alike.
    """

    generations: Annotated[int, Meta(ge=1, le=10)] = 1
    temperature: Annotated[float, Meta(gt=0.0)] = 4.0
    weight: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.5


class BornAgain(Method):
    """(1 − λ)·CE + λ·T²·KL(generation n − 1 ‖ generation n), after a generation 0 of CE alone.

    The factor T² is that of the released code (`DistillKL`, whose gradient keeps its size when T
    changes). All generations begin with the weights that the student begins with, where the
    released code draws new ones, and see the images in an order of their own. A finished
    generation is kept in the run's folder, and reused where only the number of generations changes.
    """

    name = "born_again"
    mixes = True
    Config = BornAgainConfig
    needs_teacher = False
    config: BornAgainConfig
    requires = frozenset({Trait.SOFTENED_OUTPUTS})

    def __init__(
        self,
        config: BornAgainConfig,
        student: nn.Module,
        teacher: nn.Module | None,
        context: MethodContext,
    ) -> None:
        super().__init__(config, student, teacher, context)
        self.earlier = nn.ModuleList(copy.deepcopy(student) for _ in range(config.generations))
        self._start = _start_of(student)

    def notes(self) -> Iterator[str]:
        """The base's, and what the earlier generations cost."""
        yield from super().notes()
        count, epochs = len(self.earlier), self.context.fit.epochs
        size = count_params(self.student) / 1e6
        networks = "network like the student is" if count == 1 else "networks like the student are"
        yield (
            f"{count} {networks} trained first, of {size:.2f} M parameters each, for {epochs} "
            "epochs each"
        )

    def term_weights(self) -> dict[str, float]:
        """Those of the recipe."""
        return {"ce": 1 - self.config.weight, "kd": self.config.weight}

    def stages(self) -> tuple[Stage, ...]:
        """A stage for each generation; the last one is the student."""
        fit, config = self.context.fit, self.config
        earlier = tuple(
            Stage(
                f"generation_{number}",
                (network,),
                partial(self._terms, number),
                network,
                # Of generation 0 only the start matters: it learns from labels alone.
                depends_on=(
                    self.name, self._start, fit,
                    *((config.temperature, config.weight) if number else ()),
                ),
            )
            for number, network in enumerate(self.earlier)
        )  # fmt: skip
        objective = partial(self._terms, len(self.earlier))
        return (*earlier, Stage("student", (self.student,), objective, self.student))

    def _terms(self, number: int, batch: Batch) -> Terms:
        """The terms of generation `number`."""
        network = self.student if number == len(self.earlier) else self.earlier[number]
        outputs = network(batch.pixels)
        hard = self.hard_label(outputs, batch.targets)
        if number == 0:
            return {"ce": hard}
        with torch.no_grad():
            before: Tensor = self.earlier[number - 1](batch.pixels)
        config = self.config
        soft = self.softened_loss(outputs, before, config.temperature)
        return {"ce": (1 - config.weight) * hard, "kd": config.weight * soft}


def _start_of(network: nn.Module) -> str:
    """Hash of a network's layers and of the weights that it begins with."""
    digest = hashlib.sha256(repr(network).encode())
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
