"""A teacher that stayed where it is: its outputs come from a file, and it answers nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.teachers.cached import CachedOutputs
from edgekd.distill.teachers.engines.engine import Engine
from edgekd.distill.teachers.fixed_views import WHOLE_IMAGES
from edgekd.distill.teachers.group import Teachers
from edgekd.distill.teachers.named_labels import NamedLabels, match_labels
from edgekd.distill.teachers.teacher import TeacherSetup
from edgekd.errors import InputError
from edgekd.recipe import Recipe, TeacherSection

__all__ = ["AbsentTeacher", "FileTeachers", "setup_of_file", "teachers_in_file"]


class AbsentTeacher(nn.Module):
    """In the place of a network whose outputs are in a file.

    Args:
        file: The file, for messages.
    """

    subclass_of = ()

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file = file

    def forward(self, pixels: Tensor) -> Tensor:
        """Refuse.

        Raises:
            InputError: Always.
        """
        message = f"{self.file} holds outputs for views of training images, and for no others"
        raise InputError(message, "take a method that asks for these alone, such as kd")

    outputs = forward


@dataclass(frozen=True)
class FileTeachers(Teachers):
    """A teacher whose outputs are in a file.

    Attributes:
        labels: Its outputs for the training images.
    """

    labels: NamedLabels

    def network(self) -> Any:
        """A network that answers nothing."""
        return AbsentTeacher(str(self.section.logits))

    @property
    def sha256(self) -> str:
        """Hash of the file."""
        return self.labels.sha256

    def identity(self) -> tuple[Any, ...]:
        """Everything about the teacher that a student's weights depend on."""
        return (self.sha256,)

    def sections(self) -> dict[str, Any]:
        """Sections of a recipe that takes this very file."""
        return {"teacher": self.section}

    def facts(self) -> dict[str, Any]:
        """Plain values that the outputs depend on."""
        return {"sha256": self.sha256}

    def provenance(self, engine: Engine | None = None) -> dict[str, Any]:
        """Plain values for a student's card: the file, and the teacher that it was made with."""
        file = Path(str(self.section.logits)).name
        return {"logits": file, "teacher": dict(self.labels.labels.facts.teacher)}

    def metrics(self, samples: RunSamples, parts: Sequence[str]) -> None:
        """None: it answers nothing but training images."""

    def outputs(self, samples: RunSamples, part: str) -> NDArray[np.float32] | None:
        """None: it answers nothing but training images."""
        return None

    def text(self) -> str:
        """One line for logs."""
        return str(self.section.logits)


def teachers_in_file(
    recipe: Recipe, samples: RunSamples, say: Callable[[str], None]
) -> FileTeachers:
    """The teacher in the file that a recipe names.

    Args:
        recipe: The recipe.
        samples: The images of the run.
        say: Receives lines about the file.

    Raises:
        InputError, ArtefactError: See `match_labels`.
    """
    section = recipe.teacher or TeacherSection()
    labels = match_labels(Path(str(section.logits)), recipe, samples)
    views = f"{labels.labels.logits.shape[1]} views" if labels.fixed else "one view"
    say(f"teacher: {section.logits}, {views} of {len(labels.labels.indices)} training images")
    for note in labels.notes:
        say(f"teacher: {note}")
    return FileTeachers(
        (), (), section, recipe.task, samples.classes, samples.image_size, labels=labels
    )


def setup_of_file(
    teachers: FileTeachers, samples: RunSamples, say: Callable[[str], None]
) -> TeacherSetup:
    """How a method's `Teacher` looks the outputs up."""
    fixed = teachers.labels.fixed
    side = fixed.augmentation.size if fixed else 0
    return TeacherSetup(
        fixed_views=fixed or WHOLE_IMAGES,
        cache=CachedOutputs(teachers.labels.labels, len(samples.targets)),
        side=side if side > samples.image_size else 0,
    )
