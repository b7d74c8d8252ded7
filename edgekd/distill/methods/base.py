"""The interface of all methods.

A method owns the student, the teacher and its further modules, and declares in stages what is
trained by which objective. The training module (`edgekd.distill.module`) knows no method by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from edgekd.distill.methods.temperature import (
    CurriculumTemperature,
    FixedTemperature,
    GlobalTemperature,
    InstanceTemperature,
    Softening,
)
from edgekd.distill.task import TrainingTask, Trait, training_task
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.recipe import FitSection, Section

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule

__all__ = [
    "Batch",
    "Method",
    "MethodContext",
    "Objective",
    "Stage",
    "Step",
    "Subclasses",
    "Terms",
    "own_draws",
]

Terms = dict[str, Tensor]
"""Named loss terms, weights applied: their sum is minimised, each is logged and plotted."""


def _unchanged(pixels: Tensor) -> Tensor:
    return pixels


@dataclass(frozen=True)
class Batch:
    """What an objective sees of one step.

    Attributes:
        raw: Images as they are, float32 [B, 3, S, S] in 0…1 (networks normalise themselves).
        targets: Class indices [B].
        indices: Positions [B] in the data set, for methods that remember samples.
        epoch: Counted from 0, for ramps.
        augment: Changes each of some images [N, 3, S, S] by a new draw of the recipe's
            augmentation; in validation it changes nothing.
        generator: Whatever else a step draws must come from here, so that an interrupted run goes
            on exactly as it would have. On the CPU.
    """

    raw: Tensor
    targets: Tensor
    indices: Tensor
    epoch: int = 0
    augment: Callable[[Tensor], Tensor] = _unchanged
    generator: torch.Generator = field(default_factory=torch.Generator)

    @cached_property
    def pixels(self) -> Tensor:
        """The images, augmented once: computed when it is first asked for, hence never for a
        method that augments views of its own.
        """
        return self.augment(self.raw)


Objective = Callable[[Batch], Terms]
Step = Callable[["LightningModule", Batch], Terms]


@dataclass(frozen=True)
class Subclasses:
    """The subclasses of the data.

    Attributes:
        of: Class index of each subclass [S].
        labels: Subclass of each image of the data set, int64 [samples].
        weights: Weights of the hard-label loss on subclasses, float32 [S].
    """

    of: tuple[int, ...]
    labels: Tensor
    weights: Tensor


@dataclass(frozen=True)
class MethodContext:
    """The facts of a run that a method may use.

    Attributes:
        class_counts: Training images of each class.
        class_weights: Weights of the hard-label loss, float32 [K].
        samples: Number of images in the data set, for banks.
        image_size: S.
        fit: How the student is trained.
        seed: Of the run, for modules whose initial weights must not depend on what was built
            before them.
        training_labels: Class index of each image of the data set, −1 outside of the training part,
            int64 [samples], for methods that remember samples; empty without exclusive classes.
        subclasses: The subclasses of the data, if any.
        task: The training layer of the task.
    """

    class_counts: tuple[int, ...]
    class_weights: Tensor
    samples: int
    image_size: int
    fit: FitSection
    seed: int = 0
    training_labels: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    subclasses: Subclasses | None = None
    task: TrainingTask = field(default_factory=lambda: training_task(DEFAULT_TASK))


@dataclass(frozen=True)
class Stage:
    """One training: of what, on which samples, by which objective.

    Attributes:
        name: For logs and folders.
        trained: Modules whose parameters are optimised; every other module is frozen.
        idle: Parameters of these modules that the objective does not depend on, such as a
            classifier behind the map that it looks at: frozen as well. Several processes wait for
            the gradient of everything else.
        objective: Loss terms of a batch.
        evaluated: The network whose validation metric chooses the best epoch (highest).
        criterion: Instead of the metric, loss terms of an unaugmented validation batch, all modules
            in evaluation mode: the best epoch has their lowest mean.
        samples: Which samples it runs over.
        fit: Where it differs from the student's.
        step: For a method that takes the step in its own hands (alternating players, gradients
            through updates): it optimises through the given training module and returns the
            terms to log; `objective` is then not called.
        depends_on: What the result depends on besides the data, the augmentation, the teacher, the
            seed and `fit`; the finished stage is reused while that is unchanged. None stands for
            the whole of the method's options, the student and the stages before.
        followers: Modules that change in this stage without being optimised (moving averages,
            memory banks): in training mode, and kept with what is trained.
        after_step: Called after every step of the optimiser, to move the followers.
    """

    name: str
    trained: tuple[nn.Module, ...]
    objective: Objective
    evaluated: nn.Module | None = None
    criterion: Objective | None = None
    samples: Literal["labelled", "unlabelled", "synthesised", "none"] = "labelled"
    fit: FitSection | None = None
    step: Step | None = None
    depends_on: tuple[Any, ...] | None = None
    followers: tuple[nn.Module, ...] = ()
    after_step: Callable[[], None] | None = None
    idle: tuple[nn.Parameter, ...] = ()

    def set_trainable(self, method: Method) -> None:
        """Let gradients reach what the stage trains, and nothing else of its method."""
        method.requires_grad_(False)
        for module in self.trained:
            module.requires_grad_(True)
        for parameter in self.idle:
            parameter.requires_grad_(False)

    @property
    def changed(self) -> tuple[nn.Module, ...]:
        """Modules whose state the stage changes."""
        return (*self.trained, *self.followers)


class Method(nn.Module, ABC):
    """Base of all methods.

    Args:
        config: The method's keys of the recipe.
        student: Maps pixels to the outputs of the task.
        teacher: Maps pixels to the outputs of the task, frozen; None for methods without one.
        context: The facts of the run.
    """

    name: ClassVar[str]
    Config: ClassVar[type[Section]] = Section
    needs_teacher: ClassVar[bool] = True
    learns_subclasses: ClassVar[bool] = False
    """Whether the student, and the teacher if there is one, predict subclasses."""
    requires: ClassVar[frozenset[Trait]] = frozenset()
    """What a task must have for the method to serve it."""
    class_weights: Tensor

    def __init__(
        self, config: Section, student: nn.Module, teacher: nn.Module | None, context: MethodContext
    ) -> None:
        super().__init__()
        self.config = config
        self.student = student
        self.teacher = teacher.eval().requires_grad_(False) if teacher is not None else None
        self.context = context
        self.register_buffer("class_weights", context.class_weights, persistent=False)
        self.softening = self._softening()

    def _softening(self) -> Softening:
        """The module that gives the config's `temperature`, where it has one."""
        section = getattr(self.config, "temperature", 1.0)
        if not isinstance(section, CurriculumTemperature):
            return FixedTemperature(section)
        if section.curriculum == "global":
            return GlobalTemperature(section)
        with own_draws(self.context.seed):
            return InstanceTemperature(section, self.softened_logits)

    @property
    def softened_logits(self) -> int:
        """Number of outputs that the temperature softens: one for each class."""
        return len(self.context.class_counts)

    @property
    def softening_trained(self) -> tuple[nn.Module, ...]:
        """The temperature where it is learnt: part of what a stage with logit terms trains."""
        return (self.softening,) if any(True for _ in self.softening.parameters()) else ()

    def noted(self) -> Terms:
        """Values that are logged beside the latest batch's terms, and not minimised."""
        return self.softening.noted()

    def remarks(self) -> Iterator[str]:
        """Warnings where the run is too short for a length that is counted in epochs."""
        section, epochs = getattr(self.config, "temperature", None), self.context.fit.epochs
        if isinstance(section, CurriculumTemperature) and section.epochs > epochs:
            yield (
                f"the temperature's factor rises over {section.epochs} epochs, and the run has "
                f"{epochs}: it does not reach 1 (`method.temperature.epochs`)"
            )

    @abstractmethod
    def stages(self) -> tuple[Stage, ...]:
        """The stages in order; the last one leaves the student trained."""

    @property
    def required_teacher(self) -> nn.Module:
        """The teacher.

        Raises:
            InputError: There is none.
        """
        if self.teacher is None:
            raise InputError(
                f"the method {self.name} needs a teacher", "add `teacher` to the recipe"
            )
        return self.teacher

    def hard_label(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The task's loss on the labels, with the weights and smoothing of the recipe's `fit`."""
        smoothing = self.context.fit.label_smoothing
        return self.context.task.hard_label_loss(outputs, targets, self.class_weights, smoothing)

    def softened_loss(
        self,
        student: Tensor,
        teacher: Tensor,
        temperature: float | Tensor,
        weights: Tensor | None = None,
    ) -> Tensor:
        """See `TrainingTask.softened_loss`."""
        return self.context.task.softened_loss(student, teacher, temperature, weights)


@contextmanager
def own_draws(seed: int) -> Iterator[None]:
    """Random weights made inside depend on `seed` alone, and on nothing that was made before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
