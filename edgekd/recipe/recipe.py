"""A whole recipe."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.recipe.augment import AugmentSection
from edgekd.recipe.finish import FinishSection
from edgekd.recipe.roles import RoleSection
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
        teacher: The teacher.
        student: The student.
        method: `name` and that method's own keys.
        finish: The last stage of the student's training, on the grid of an int8 file; null for none.
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
    teacher: RoleSection | None = None
    student: RoleSection | None = None
    method: dict[str, Any] = msgspec.field(default_factory=lambda: {"name": "kd"})
    finish: FinishSection | None = None
    trainer: TrainerSection = TrainerSection()
