"""`d_kd`: distillation of logits and of relations between samples and between channels (Wang et al.
2023, Medical Image Analysis 84:102693), in one stage. Its self-supervised extension is `ssd_kd`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta
from torch import Tensor, nn

from edgekd.distill.losses import (
    angle_relation,
    channel_relation,
    distance_relation,
)
from edgekd.distill.methods.adapters import map_adapter
from edgekd.distill.methods.base import (
    Batch,
    Method,
    MethodContext,
    Stage,
    TeacherBy,
    Terms,
)
from edgekd.distill.methods.temperature import CurriculumTemperature, Temperature
from edgekd.distill.samples.mixing import Targets
from edgekd.distill.task import Trait
from edgekd.models.features import Features, features_of, probe
from edgekd.recipe import Balancing, Section

__all__ = ["DiverseDistillation", "RelationWeights", "relation_terms"]

Weight = Annotated[float, Meta(ge=0.0)]


class RelationWeights(Section, frozen=True, kw_only=True):
    """Weights of the relations that D-KD and SSD-KD share; any of them may be 0.

    Attributes:
        distance: Weight of the pairwise distances between samples.
        angle: Weight of the angles between triples of samples.
        channel: λ_c of the relation between channels. 1000 is the released script's (its class
            has 10000).
    """

    distance: Weight = 25.0
    angle: Weight = 50.0
    channel: Weight = 1000.0


def relation_terms(
    student: Features, teacher: Features, adapter: nn.Module | None, weights: RelationWeights
) -> Terms:
    """The weighted relations between samples (L_inter) and between channels (L_intra)."""
    terms: dict[str, Tensor] = {}
    if weights.distance:
        terms["distance"] = weights.distance * distance_relation(student.pooled, teacher.pooled)
    if weights.angle:
        terms["angle"] = weights.angle * angle_relation(student.pooled, teacher.pooled)
    if weights.channel and adapter is not None:
        adapted = adapter(student.features)
        terms["channel"] = weights.channel * channel_relation(adapted, teacher.features)
    return terms


class DiverseDistillationConfig(RelationWeights, frozen=True, kw_only=True):
    """Keys of the method, besides the relations' weights.

    Attributes:
        temperature: T, or a curriculum.
        weight: λ in (1 − λ)·CE + λ·T²·KL.
        balance: Weigh the classes within each softened output of the teacher, as in `kd`.
        select: How the best epoch is chosen: by the validation metric of the task, or as in the
            paper's code by the whole `objective` on the validation part. The latter depends on
            which images share a batch; their order is fixed. With a curriculum the objective
            changes from epoch to epoch, and `objective` is refused.
    """

    temperature: Temperature = 5.0
    weight: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.5
    balance: Balancing = "none"
    select: Literal["metric", "objective"] = "metric"

    def __post_init__(self) -> None:
        """Refuse to compare losses of epochs at different temperatures."""
        if self.select == "objective" and isinstance(self.temperature, CurriculumTemperature):
            raise ValueError("select `objective` needs a constant temperature")


class DiverseDistillation(Method):
    """(1 − λ)·CE + λ·T²·KL + distance·L_D + angle·L_A + channel·L_intra."""

    name = "d_kd"
    mixes = True
    Config = DiverseDistillationConfig
    config: DiverseDistillationConfig
    requires = frozenset({Trait.SOFTENED_OUTPUTS})

    @classmethod
    def teacher_by(cls, config: DiverseDistillationConfig) -> TeacherBy:
        """Maps, or pooled vectors without the relation between channels; and outputs."""
        return "maps" if config.channel else "pooled"

    def __init__(
        self,
        config: DiverseDistillationConfig,
        student: nn.Module,
        teacher: nn.Module | None,
        context: MethodContext,
    ) -> None:
        super().__init__(config, student, teacher, context)
        self.adapter = None
        if config.channel:
            features = probe(student, context.image_size)
            self.adapter = map_adapter(features, self.probe_teacher())

    def stages(self) -> tuple[Stage, ...]:
        """One stage: the student with its adapter."""
        adapter = (self.adapter,) if self.adapter is not None else ()
        trained = (self.student, *adapter, *self.softening_trained)
        criterion = self._objective if self.config.select == "objective" else None
        return (Stage("student", trained, self._objective, self.student, criterion),)

    def term_weights(self) -> dict[str, float]:
        """Those of the recipe."""
        return {"ce": 1 - self.config.weight, "kd": self.config.weight}

    def _objective(self, batch: Batch) -> Terms:
        student = features_of(self.student, batch.pixels)
        teacher = self.teacher_features(batch)
        return self.terms(student, teacher, batch.targets, batch.epoch)

    def terms(
        self, student: Features, teacher: Features, targets: Targets, epoch: int = 0
    ) -> Terms:
        """The weighted terms of a batch's features in an epoch, counted from 0."""
        config = self.config
        temperature = self.softening(student.logits, teacher.logits, epoch)
        soft = self.softened_loss(student.logits, teacher.logits, temperature)
        return {
            "ce": (1 - config.weight) * self.hard_label(student.logits, targets),
            "kd": config.weight * soft,
            **relation_terms(student, teacher, self.adapter, config),
        }
