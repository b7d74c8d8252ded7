"""`ssd_kd`: self-supervised diverse distillation (Wang et al. 2023, Medical Image Analysis
84:102693; arXiv 2203.11490).
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from msgspec import Meta
from torch import Tensor, nn

from edgekd.distill.losses import (
    instance_contrast,
    similarity_transfer,
    softened_kl,
    transformed_kl,
    view_similarity,
)
from edgekd.distill.methods.adapters import map_adapter, projection_head
from edgekd.distill.methods.base import (
    Batch,
    Method,
    MethodContext,
    Stage,
    TeacherBy,
    Terms,
    seeded,
)
from edgekd.distill.methods.d_kd import RelationWeights, relation_terms
from edgekd.distill.methods.temperature import CurriculumTemperature, Temperature
from edgekd.distill.task import Trait
from edgekd.models.features import Features, features_of, probe
from edgekd.recipe import FitSection, Section

__all__ = ["VIEWS", "SelfSupervisedDiverseDistillation", "rotated_views"]

VIEWS = 4
"""Views of an image: rotated by 0° (the normal view), 90°, 180° and 270°."""

Weight = Annotated[float, Meta(ge=0.0)]
Ratio = Annotated[float, Meta(ge=0.0, le=1.0)]


class HeadFit(FitSection, frozen=True, kw_only=True):
    """How the teacher's head is trained, with the defaults of the released code.

    The code does not state the batch size; 32 images give 128 views, as for the student.
    """

    epochs: Annotated[int, Meta(ge=1)] = 60
    batch_size: Annotated[int, Meta(ge=1)] = 32
    optimizer: Literal["adamw", "sgd"] = "sgd"
    weight_decay: Annotated[float, Meta(ge=0.0)] = 1e-3
    schedule: Literal["one_cycle", "plateau", "steps"] = "steps"
    milestones: tuple[Annotated[int, Meta(ge=1)], ...] = (30, 45)
    stop_after: Annotated[int, Meta(ge=0)] = 15

    def __post_init__(self) -> None:
        """Refuse also losses on labels, which the head's training does not have."""
        super().__post_init__()
        if self.loss != "cross_entropy" or self.logit_adjustment:
            raise ValueError("the teacher's head learns without labels: it takes no loss on them")


class SelfSupervisedDiverseDistillationConfig(Section, frozen=True, kw_only=True):
    """Keys of the method; weights and temperatures of the released code, each may be 0.

    Attributes:
        ce: Weight of the hard-label loss on the normal views.
        kd: Weight of the softened outputs of the normal views.
        transformed: Weight of the softened outputs of the rotated views.
        similarity: Weight of the self-supervised similarity between rotated and normal views.
        relations: Weight of the relations of D-KD, over all views.
        relation: Weights of the individual relations.
        temperature: T of the softened outputs, or a curriculum.
        similarity_temperature: τ of the similarities.
        transformed_ratio: Share of the rotated views kept where the teacher errs on the class.
        similarity_ratio: Share kept where the teacher's head does not match the right image.
        teacher_head: How the teacher's head is trained.
        select: How the student's best epoch is chosen: by the validation metric of the task, or as
            in the paper's code by the hard-label loss (`objective`) on the unrotated validation
            images.
    """

    ce: Weight = 0.1
    kd: Weight = 0.9
    transformed: Weight = 2.7
    similarity: Weight = 10.0
    relations: Weight = 1.0
    relation: RelationWeights = RelationWeights()
    temperature: Temperature = 4.0
    similarity_temperature: Annotated[float, Meta(gt=0.0)] = 0.5
    transformed_ratio: Ratio = 1.0
    similarity_ratio: Ratio = 0.75
    teacher_head: HeadFit = HeadFit()
    select: Literal["metric", "objective"] = "metric"

    def __post_init__(self) -> None:
        """Refuse a curriculum temperature that no term uses."""
        learnt = isinstance(self.temperature, CurriculumTemperature)
        if learnt and not (self.kd or self.transformed):
            raise ValueError("a curriculum temperature needs a weight of kd or transformed")


class SelfSupervisedDiverseDistillation(Method):
    """Stage 1 trains a projection head on the frozen teacher, stage 2 the student.

    The student's own head and its adapter are trained with it and not exported.
    """

    name = "ssd_kd"
    Config = SelfSupervisedDiverseDistillationConfig
    config: SelfSupervisedDiverseDistillationConfig
    requires = frozenset({Trait.SOFTENED_OUTPUTS, Trait.EXCLUSIVE_CLASSES, Trait.IMAGE_LEVEL})

    @classmethod
    def teacher_by(cls, config: SelfSupervisedDiverseDistillationConfig) -> TeacherBy:
        """Maps, pooled vectors and outputs of views that the method makes itself."""
        return "maps"

    def __init__(
        self,
        config: SelfSupervisedDiverseDistillationConfig,
        student: nn.Module,
        teacher: nn.Module | None,
        context: MethodContext,
    ) -> None:
        super().__init__(config, student, teacher, context)
        features, teacher_features = probe(student, context.image_size), self.probe_teacher()
        self.teacher_head = self.student_head = self.adapter = None
        if config.similarity:
            with seeded(context.seed):  # it is reused for another student
                self.teacher_head = projection_head(teacher_features.pooled.shape[1])
            self.student_head = projection_head(features.pooled.shape[1])
        if config.relations and config.relation.channel:
            self.adapter = map_adapter(features, teacher_features)

    def stages(self) -> tuple[Stage, ...]:
        """The teacher's head if a term needs it, then the student."""
        extras = (part for part in (self.student_head, self.adapter) if part is not None)
        criterion = self._hard_label if self.config.select == "objective" else None
        trained = (self.student, *extras, *self.softening_trained)
        student = Stage("student", trained, self._objective, self.student, criterion)
        if self.teacher_head is None:
            return (student,)
        head = Stage(
            "teacher_head", (self.teacher_head,), self._contrast, criterion=self._contrast_as_is,
            fit=self.config.teacher_head, depends_on=(self.name,),
        )  # fmt: skip
        return (head, student)

    # The teacher's head --------------------------------------------------------------------

    def _contrast(self, batch: Batch) -> Terms:
        return self._contrast_of(batch, self._views(batch))

    def _contrast_as_is(self, batch: Batch) -> Terms:
        return self._contrast_of(batch, rotated_views(batch.raw))

    def _contrast_of(self, batch: Batch, views: Tensor) -> Terms:
        assert self.teacher_head is not None
        pooled = self.teacher_features(batch, views).pooled
        return {"contrast": instance_contrast(view_similarity(self.teacher_head(pooled)))}

    # The student ---------------------------------------------------------------------------

    def _objective(self, batch: Batch) -> Terms:
        views = self._views(batch)
        if not self._needs_rotated_views:
            views = views[::VIEWS]
        student = features_of(self.student, views)
        teacher = self.teacher_features(batch, views)
        return self.terms(student, teacher, batch.raw_targets, batch.epoch)

    def term_weights(self) -> dict[str, float]:
        """Those of the recipe, of the terms on logits."""
        config = self.config
        return {"ce": config.ce, "kd": config.kd, "transformed": config.transformed}

    def _hard_label(self, batch: Batch) -> Terms:
        return {"ce": self.hard_label(self.student(batch.raw), batch.raw_targets)}

    @property
    def _needs_rotated_views(self) -> bool:
        config = self.config
        return bool(config.transformed or config.similarity or config.relations)

    def _views(self, batch: Batch) -> Tensor:
        """All views of each image, mirrored together by chance, then augmented one by one."""
        mirrored = torch.rand(len(batch.raw), 1, 1, 1, generator=batch.generator) < 0.5
        images = torch.where(mirrored.to(batch.raw.device), batch.raw.flip(3), batch.raw)
        return batch.augment(rotated_views(images))

    def terms(self, student: Features, teacher: Features, targets: Tensor, epoch: int = 0) -> Terms:
        """The weighted terms of the views' features, image by image, the normal view first.

        Args:
            student: Features of the views.
            teacher: Features of the views.
            targets: Class of each image.
            epoch: Counted from 0.
        """
        config = self.config
        every = VIEWS if self._needs_rotated_views else 1
        logits, teacher_logits = student.logits[::every], teacher.logits[::every]
        terms = {"ce": config.ce * self.hard_label(logits, targets)}
        if config.kd:
            temperature = self.softening(logits, teacher_logits, epoch)
            terms["kd"] = config.kd * softened_kl(logits, teacher_logits, temperature)
        if config.transformed:
            transformed = self._transformed(student, teacher, targets, epoch)
            terms["transformed"] = config.transformed * transformed
        if config.similarity:
            terms["similarity"] = config.similarity * self._similarity(student, teacher)
        if config.relations:
            relations = relation_terms(student, teacher, self.adapter, config.relation)
            terms |= {name: config.relations * term for name, term in relations.items()}
        return terms

    def _transformed(
        self, student: Features, teacher: Features, targets: Tensor, epoch: int
    ) -> Tensor:
        logits, teacher_logits = _rotated(student.logits), _rotated(teacher.logits)
        repeated = targets.repeat_interleave(VIEWS - 1)
        temperature = self.softening(logits, teacher_logits, epoch)
        ratio = self.config.transformed_ratio
        return transformed_kl(logits, teacher_logits, repeated, temperature, ratio)

    def _similarity(self, student: Features, teacher: Features) -> Tensor:
        assert self.student_head is not None
        assert self.teacher_head is not None
        config = self.config
        similarity = view_similarity(self.student_head(student.pooled))
        with torch.no_grad():
            target = view_similarity(self.teacher_head(teacher.pooled))
        return similarity_transfer(
            similarity, target, config.similarity_temperature, config.similarity_ratio
        )


def rotated_views(images: Tensor) -> Tensor:
    """Each image [B, 3, S, S] rotated by 0°, 90°, 180° and 270°: [4·B, 3, S, S], image by image."""
    turned = [torch.rot90(images, quarter, (2, 3)) for quarter in range(VIEWS)]
    return torch.stack(turned, dim=1).flatten(0, 1)


def _rotated(logits: Tensor) -> Tensor:
    """The rows [3·B, K] of the rotated views."""
    return logits.reshape(-1, VIEWS, logits.shape[1])[:, 1:].flatten(0, 1)
