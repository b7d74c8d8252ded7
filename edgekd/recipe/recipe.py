"""A whole recipe."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.recipe.augment import AugmentSection
from edgekd.recipe.finish import FinishSection
from edgekd.recipe.roles import RoleSection, TeacherSection
from edgekd.recipe.section import Section, Seed
from edgekd.recipe.split import SplitSection
from edgekd.recipe.trainer import TrainerSection

__all__ = ["Recipe"]


class Recipe(Section, frozen=True, kw_only=True):
    """A whole run.

    Attributes:
        name: Name for folders and reports.
        task: What the network predicts: one class for each image, or another task's name.
        policy: What the domain demands of students and their files: the name of a policy that is
            shipped (`dermoscopy`, `fundus`, `none`) or installed, or the path of a TOML file.
        seed: Seed of initial weights, order of images and augmentation.
        image_size: S, the side of the square input in pixels.
        data: `source` and that source's own keys.
        split: How the images are split.
        augment: Random changes of the training images.
        teacher: The teacher, and how its outputs are computed.
        teachers: Several teachers instead, whose outputs are averaged; those that are trained have
            the seeds `seed`, `seed` + 1 and so on.
        student: The student.
        method: `name` and that method's own keys.
        finish: The last stage of the student's training, on the grid of an int8 file.
        trainer: The machine, for Lightning's trainer.
    """

    name: str
    task: str = DEFAULT_TASK
    policy: str = "dermoscopy"
    seed: Seed = 0
    image_size: Annotated[int, Meta(ge=16, le=2048)] = 224
    data: dict[str, Any]
    split: SplitSection = SplitSection()
    augment: AugmentSection = AugmentSection()
    teacher: TeacherSection | None = None
    teachers: tuple[RoleSection, ...] = ()
    student: RoleSection | None = None
    method: dict[str, Any] = msgspec.field(default_factory=lambda: {"name": "kd"})
    finish: FinishSection | None = None
    trainer: TrainerSection = TrainerSection()

    def __post_init__(self) -> None:
        """Refuse teachers beside a teacher, and weights that fit no teachers."""
        teacher = self.teacher or TeacherSection()
        if not self.teachers:
            if teacher.weights != "equal":
                raise ValueError("`teacher.weights` are those of `teachers`, and there are none")
            return
        if teacher.logits is not None:
            raise ValueError("a recipe has the outputs of a `teacher` in a file, or `teachers`")
        if len(self.teachers) < 2:
            raise ValueError("`teachers` are two at least; a single one is `teacher`")
        if teacher.network() != RoleSection():
            raise ValueError("a recipe has the network of a `teacher`, or `teachers`")
        if not isinstance(teacher.weights, str) and len(teacher.weights) != len(self.teachers):
            raise ValueError(
                f"there are {len(teacher.weights)} `teacher.weights` of {len(self.teachers)} "
                "`teachers`"
            )

    @property
    def teacher_networks(self) -> tuple[RoleSection, ...]:
        """The network of each teacher; empty without any."""
        if self.teachers:
            return self.teachers
        runs = self.teacher is not None and self.teacher.logits is None
        return (self.teacher.network(),) if self.teacher and runs else ()
