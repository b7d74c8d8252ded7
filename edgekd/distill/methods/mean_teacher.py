"""`mean_teacher`: the student agrees with its own moving average (Tarvainen & Valpola 2017)."""

from __future__ import annotations

from typing import Annotated

import torch
from msgspec import Meta
from torch import Tensor, nn

from edgekd.data.augment import augment
from edgekd.distill.losses import ramp_up
from edgekd.distill.methods.base import Batch, Method, MethodContext, Stage, Terms
from edgekd.distill.task import Trait
from edgekd.distill.training.moving_average import MovingAverage
from edgekd.recipe import AugmentSection, Section

__all__ = ["MeanTeacher", "MeanTeacherConfig"]

_TURNED = AugmentSection(flip=True, quarter_turns=True, colour=0.0)

Weight = Annotated[float, Meta(ge=0.0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class MeanTeacherConfig(Section, frozen=True, kw_only=True):
    """Keys of the method; defaults of CRCKD's released code (Xing et al. 2021).

    Attributes:
        consistency: Weight of the KL to the moving average's outputs, at temperature 1.
        decay: Limit of the moving average's α.
        start: Share of the epochs before the consistency term begins; the code: epoch 20 of 80.
            Tarvainen & Valpola begin at once (0).
        ramp: Share of the epochs over which its weight rises; the code: epoch 30 of 80.
        turn: Flip and rotate the moving average's view once more, as the code does.
    """

    consistency: Weight = 1.0
    decay: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.99
    start: Share = 0.25
    ramp: Share = 0.375
    turn: bool = True


class MeanTeacher(Method):
    """CE + ramp·KL to the outputs of the student's moving average on another view.

    The result is the student, not its moving average, as in the released code of CRCKD.
    """

    name = "mean_teacher"
    Config = MeanTeacherConfig
    needs_teacher = False
    config: MeanTeacherConfig
    requires = frozenset({Trait.SOFTENED_OUTPUTS, Trait.IMAGE_LEVEL})

    def __init__(
        self,
        config: MeanTeacherConfig,
        student: nn.Module,
        teacher: nn.Module | None,
        context: MethodContext,
    ) -> None:
        super().__init__(config, student, teacher, context)
        self.average = MovingAverage(student, config.decay)

    def stages(self) -> tuple[Stage, ...]:
        """One stage: the student; its moving average follows it."""
        return (
            Stage(
                "student", (self.student,), self._objective, self.student,
                followers=(self.average,), after_step=self._follow,
            ),
        )  # fmt: skip

    def _follow(self) -> None:
        self.average.follow(self.student)

    def term_weights(self) -> dict[str, float]:
        """Those of the recipe."""
        return {"ce": 1.0, "consistency": self.config.consistency}

    def _objective(self, batch: Batch) -> Terms:
        terms = {}
        student = self.student(batch.pixels)
        if self.started(batch):
            with torch.no_grad():
                average = self.average(self.other_view(batch))
            terms["consistency"] = self.consistency(student, average, batch)
        return {"ce": self.hard_label(student, batch.targets), **terms}

    def started(self, batch: Batch) -> bool:
        """Whether the consistency term has begun in this epoch."""
        return batch.epoch >= self.config.start * self.context.fit.epochs

    def other_view(self, batch: Batch) -> Tensor:
        """The images by a second draw of the augmentation, for the moving average."""
        view = batch.augment(batch.raw)
        return augment(view, _TURNED, batch.generator) if self.config.turn else view

    def consistency(self, student: Tensor, average: Tensor, batch: Batch) -> Tensor:
        """The weighted softened loss at temperature 1, a mean over the batch."""
        rise = ramp_up(batch.epoch, self.config.ramp * self.context.fit.epochs)
        divergence = self.softened_loss(student, average, 1.0)
        return rise * self.config.consistency * divergence
