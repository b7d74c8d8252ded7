"""`fitnet`: a hint first, then classic distillation (Romero et al. 2015, ICLR)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import Meta
from torch import nn

from edgekd.distill.losses import hint
from edgekd.distill.methods.adapters import map_adapter
from edgekd.distill.methods.base import Batch, MethodContext, Stage, TeacherBy, Terms
from edgekd.distill.methods.kd import ClassicDistillation, ClassicDistillationConfig
from edgekd.models.features import behind_map, features_of, probe

__all__ = ["HintedDistillation"]


class HintedDistillationConfig(ClassicDistillationConfig, frozen=True, kw_only=True):
    """Keys of the method, besides those of `kd`, its second stage.

    Attributes:
        hint_epochs: Epochs of the first stage. The paper instead stops when the hint's validation
            error has not improved for 100 epochs.
    """

    hint_epochs: Annotated[int, Meta(ge=1)] = 10


class HintedDistillation(ClassicDistillation):
    """Stage 1 regresses the teacher's last map from the student's; stage 2 distils the logits.

    In the paper the regressed layer lies in the middle of the student, and the weight of the
    softened outputs falls during stage 2; here it is the last map, and the weight is constant.
    """

    name = "fitnet"
    mixes = True
    Config = HintedDistillationConfig
    config: HintedDistillationConfig

    @classmethod
    def teacher_by(cls, config: ClassicDistillationConfig) -> TeacherBy:
        """Maps, and outputs in the second stage."""
        return "maps"

    def __init__(
        self,
        config: HintedDistillationConfig,
        student: nn.Module,
        teacher: nn.Module | None,
        context: MethodContext,
    ) -> None:
        super().__init__(config, student, teacher, context)
        size = context.image_size
        self.adapter = map_adapter(probe(student, size), self.probe_teacher())
        self._behind_map = behind_map(student, size)

    def notes(self) -> Iterator[str]:
        """Also notes a first stage that is longer than the second."""
        yield from super().notes()
        hints, epochs = self.config.hint_epochs, self.context.fit.epochs
        if hints > epochs:
            yield (
                f"the hint takes {hints} epochs, more than the {epochs} of the stage after it "
                "(`method.hint_epochs`)"
            )

    def stages(self) -> tuple[Stage, ...]:
        """The hint, whose best epoch is chosen by its validation loss; then the student."""
        fit = msgspec.structs.replace(self.context.fit, epochs=self.config.hint_epochs)
        trained = (self.student, self.adapter)
        first = Stage(
            "hint", trained, self._hint, criterion=self._hint, fit=fit, idle=self._behind_map
        )
        return (first, *super().stages())

    def _hint(self, batch: Batch) -> Terms:
        teacher = self.teacher_features(batch)
        student = features_of(self.student, batch.pixels)
        return {"hint": hint(self.adapter(student.features), teacher.features)}
