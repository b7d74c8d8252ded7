"""The interface of all methods.

A method owns the student, the teacher and its further modules, and declares in stages what is
trained by which objective. The training module, `edgekd.distill.training.module`, knows no method
by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from edgekd.distill.losses import adjusted_logits, balanced_teacher
from edgekd.distill.methods.temperature import (
    CurriculumTemperature,
    FixedTemperature,
    GlobalTemperature,
    InstanceTemperature,
    Softening,
)
from edgekd.distill.samples.batches import Batch, StepContext, SynthesisedBatch, UnlabelledBatch
from edgekd.distill.samples.mixing import MixedTargets, Targets
from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.samples.sample_kinds import (
    Labelled,
    NoSamples,
    Redrawn,
    SampleKind,
    Several,
    Synthesised,
    Unlabelled,
    UnlabelledPool,
)
from edgekd.distill.task import TrainingTask, Trait, training_task
from edgekd.distill.teachers.teacher import Teacher, TeacherBy, TeacherSetup
from edgekd.distill.training.players import Player, Players
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.models.features import Features, probe
from edgekd.recipe import Balancing, FitSection, Section

__all__ = [
    "Batch",
    "Labelled",
    "Method",
    "MethodContext",
    "NoSamples",
    "Objective",
    "Player",
    "Players",
    "Redrawn",
    "Several",
    "Stage",
    "Step",
    "StepContext",
    "Subclasses",
    "Synthesised",
    "SynthesisedBatch",
    "TeacherBy",
    "Terms",
    "Unlabelled",
    "UnlabelledBatch",
    "UnlabelledPool",
    "seeded",
]

Terms = dict[str, Tensor]
"""Named loss terms, already weighted: their sum is minimised, each is logged and plotted."""


Objective = Callable[[Any], Terms]
"""Loss terms of a batch, whose type is that of the stage's samples."""

Step = Callable[[Any, Players], Terms]
"""Updates the players by a batch, whose type is that of the stage's samples; gives the terms to
log.
"""


@dataclass(frozen=True)
class Subclasses:
    """The subclasses of the data.

    Attributes:
        of: Class index of each subclass [S].
        labels: Subclass of each image of the data set, int64 [samples].
    """

    of: tuple[int, ...]
    labels: Tensor


@dataclass(frozen=True)
class MethodContext:
    """The facts of a run that a method may use.

    Attributes:
        class_counts: Training images of each class.
        class_weights: Weights of the hard-label loss, float32 [K].
        samples: Number of images in the data set, for memory banks.
        image_size: S, the side of the images in pixels.
        fit: How the student is trained.
        seed: Seed of the run, for modules whose initial weights must not depend on what was built
            before them.
        training_labels: Class index of each image of the data set, −1 outside of the training part,
            int64 [samples], for methods that remember samples; empty without exclusive classes.
        subclasses: The subclasses of the data, if any.
        task: The training layer of the task.
        teacher: How the teacher's outputs are computed.
        adjustment: What the hard-label loss adds to the outputs: τ times the log-prior of the
            images as they are drawn, float32 [K]; None without logit adjustment.
        training_images: Number of training images.
        unlabelled_images: Number of the images of `data.unlabelled`.
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
    teacher: TeacherSetup = field(default_factory=TeacherSetup)
    adjustment: Tensor | None = None
    training_images: int = 0
    unlabelled_images: int = 0


@dataclass(frozen=True)
class Stage:
    """One training: of which modules, on which samples, by which objective or step.

    Most stages have an `objective`: the sum of its terms is minimised over the modules in
    `trained`, by one optimiser. A stage with a `step` updates its `players` itself, each by an
    optimiser of its own: alternating players, gradients through an update.

    Attributes:
        name: Name for logs and folders.
        trained: Modules that the objective trains; every other module is frozen.
        objective: Loss terms of a batch.
        evaluated: The network whose validation metric chooses the best epoch (highest).
        criterion: Instead of the metric, loss terms of an unaugmented validation `Batch`, all
            modules in evaluation mode: the best epoch has the lowest mean of their sum.
        samples: The samples of an epoch: `Labelled()`, `Unlabelled()`, `Synthesised(make)`,
            `NoSamples()`, or `Several(kinds)` in each step. Validation runs over the labelled
            validation part in any case.
        fit: How the stage is trained; None for the student's `fit`.
        players: Modules that the step updates, each with an optimiser of its own, by name.
        step: Updates the players by a batch and returns the terms to log.
        depends_on: What the result depends on besides the data, the augmentation, the teacher, the
            seed, `fit` and the players' optimisers; the finished stage is reused while that is
            unchanged. None stands for all of the method's options, the student and the stages
            before.
        followers: Modules that change in this stage without being optimised (moving averages,
            memory banks): in training mode, and part of the checkpoint.
        after_step: Called after every training step, to update the followers.
        idle: Parameters of trained modules that no loss depends on, such as a classifier behind
            the feature map that is trained; they are frozen. Every other parameter must get a
            gradient in every step, since several processes wait for it.
        prepare: Called once with the images of the run before the first step, and again where the
            stage is resumed: what it computes must be the same each time. The stages before have
            been trained by then, and the modules are on their device.

    Raises:
        InputError: The stage has both an objective and a step, or neither; modules to train that
            do not belong to the one it has; or nothing to choose the best epoch by.
    """

    name: str
    trained: tuple[nn.Module, ...] = ()
    objective: Objective | None = None
    evaluated: nn.Module | None = None
    criterion: Objective | None = None
    samples: SampleKind = field(default_factory=Labelled)
    fit: FitSection | None = None
    players: Mapping[str, Player] = field(default_factory=dict)
    step: Step | None = None
    depends_on: tuple[Any, ...] | None = None
    followers: tuple[nn.Module, ...] = ()
    after_step: Callable[[], None] | None = None
    idle: tuple[nn.Parameter, ...] = ()
    prepare: Callable[[RunSamples], None] | None = None

    def __post_init__(self) -> None:
        if (self.objective is None) == (self.step is None):
            count = "neither an objective nor" if self.step is None else "both an objective and"
            raise self._misdeclared(f"has {count} a step", "give it exactly one of the two")
        if self.objective is not None and (self.players or not self.trained):
            hint = "name the modules in `trained`; `players` belong to a stage with a step"
            raise self._misdeclared("has an objective but not its modules", hint)
        if self.step is not None and (self.trained or not self.players):
            hint = "name the modules in `players`; `trained` belongs to a stage with an objective"
            raise self._misdeclared("has a step but not its players", hint)
        if self.evaluated is None and self.criterion is None:
            hint = "give it the network in `evaluated`, or loss terms in `criterion`"
            raise self._misdeclared("has nothing to choose its best epoch by", hint)

    def _misdeclared(self, fault: str, hint: str) -> InputError:
        return InputError(f"the stage {self.name} of the method {fault}", hint)

    def set_trainable(self, method: Method) -> None:
        """Let gradients reach what the stage optimises, and nothing else of its method."""
        method.requires_grad_(False)
        for module in self.optimised:
            module.requires_grad_(True)
        for parameter in self.idle:
            parameter.requires_grad_(False)

    @property
    def optimisers(self) -> dict[str, Any]:
        """Optimiser and clipping of each player, where they differ from the stage's `fit`."""
        return {name: (player.optimiser, player.clip) for name, player in self.players.items()}

    @property
    def optimised(self) -> tuple[nn.Module, ...]:
        """Modules that an optimiser updates."""
        return (*self.trained, *(m for player in self.players.values() for m in player.modules))

    @property
    def updated(self) -> tuple[nn.Module, ...]:
        """Modules whose state the stage changes, which its checkpoints therefore hold."""
        return (*self.optimised, *self.followers)


class Method(nn.Module, ABC):
    """Base of all methods.

    A method reads its teacher by `teacher_outputs` or `teacher_features`, once in a step, and never
    calls the network itself, except to differentiate through it: the outputs may come from several
    networks, another engine or a cache.

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
    mixes: ClassVar[bool] = False
    """Whether its terms are right for mixed images: it looks at `batch.pixels` alone, and gives
    labels to `hard_label` or `sample_weights` alone.
    """
    needs_images: ClassVar[bool] = True
    """Whether it learns from images of the data set."""
    takes_unlabelled: ClassVar[bool] = False
    """Whether it learns from the images of `data.unlabelled`."""
    class_weights: Tensor
    adjustment: Tensor | None
    balancing: Tensor | None

    @classmethod
    def specialised(cls, config: Any) -> type[Method]:
        """The class of the method with these options: another one where they name a method."""
        return cls

    @classmethod
    def teacher_by(cls, config: Any) -> TeacherBy:
        """What the method takes from its teacher with these options.

        Several teachers, views of a teacher and caches give `outputs`; a cache also `pooled`.
        """
        return "outputs"

    def __init__(
        self, config: Section, student: nn.Module, teacher: nn.Module | None, context: MethodContext
    ) -> None:
        super().__init__()
        self.config = config
        self.student = student
        self.teacher = teacher.eval().requires_grad_(False) if teacher is not None else None
        self.context = context
        self.register_buffer("class_weights", context.class_weights, persistent=False)
        self.register_buffer("adjustment", context.adjustment, persistent=False)
        self.register_buffer("balancing", self._balancing(), persistent=False)
        self.softening = self._softening()

    def _softening(self) -> Softening:
        """The module that gives the config's `temperature`, where it has one."""
        section = getattr(self.config, "temperature", 1.0)
        if not isinstance(section, CurriculumTemperature):
            return FixedTemperature(section)
        if section.curriculum == "global":
            return GlobalTemperature(section)
        with seeded(self.context.seed):
            return InstanceTemperature(section, self.softened_logits)

    @property
    def softened_logits(self) -> int:
        """Number of outputs that the temperature softens: one for each class."""
        return len(self.context.class_counts)

    @property
    def softening_trained(self) -> tuple[nn.Module, ...]:
        """The temperature where it is learnt: part of what a stage with logit terms trains."""
        return (self.softening,) if any(True for _ in self.softening.parameters()) else ()

    def logged_values(self) -> Terms:
        """Values that are logged beside the latest batch's terms, and not minimised."""
        return self.softening.logged_values()

    def notes(self) -> Iterator[str]:
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

    def synthesised(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor] | None:
        """Images that the student was taught with instead of the data set's, and their classes.

        Args:
            count: Most images to give.
            generator: Source of random numbers, on the CPU.

        Returns:
            uint8 [N, 3, S, S] and class indices [N]; None where the method makes none.
        """
        return None

    def term_weights(self) -> dict[str, float]:
        """The weight of each term of the last stage that is a loss on logits, for `amal`."""
        return {"ce": 1.0}

    @property
    def required_teacher(self) -> nn.Module:
        """The teacher.

        Raises:
            InputError: The method was built without a teacher.
        """
        if self.teacher is None:
            raise InputError(
                f"the method {self.name} needs a teacher", "add `teacher` to the recipe"
            )
        return self.teacher

    def teacher_outputs(self, batch: Any, pixels: Tensor | None = None) -> Tensor:
        """The teacher's outputs without gradient, of subclasses if the method learns them [B, …].

        Args:
            batch: The batch.
            pixels: Images [B′, 3, S, S] to look at instead of the batch's augmented ones; they are
                in no cache.
        """
        return self._teacher.outputs(batch, pixels)

    def teacher_features(self, batch: Any, pixels: Tensor | None = None) -> Features:
        """The teacher's features without gradient, logits among them; see `teacher_outputs`.

        Raises:
            InputError: The network does not give its features.
        """
        return self._teacher.features(batch, pixels)

    def probe_teacher(self) -> Features:
        """The teacher's features of one black image, for their shapes.

        Raises:
            InputError: There is no teacher, or it does not give its features.
        """
        return probe(self.required_teacher, self.context.image_size)

    @property
    def _teacher(self) -> Teacher:
        return Teacher(self.required_teacher, self.context.teacher, head=self.learns_subclasses)

    def hard_label(self, outputs: Tensor, targets: Targets) -> Tensor:
        """The task's loss on the labels, as the recipe's `fit` describes it."""
        return self.label_loss(outputs, targets, self.class_weights, self.adjustment)

    def label_loss(
        self, outputs: Tensor, targets: Targets, weights: Tensor, adjustment: Tensor | None
    ) -> Tensor:
        """The hard-label loss of `fit` with given weights [K] and logit adjustment [K]."""
        fit, task, shares = self.context.fit, self.context.task, None
        if adjustment is not None:
            outputs = adjusted_logits(outputs, adjustment)
        if isinstance(targets, MixedTargets):
            outputs, targets, shares = targets.rows(outputs)
        if fit.hard_loss.name == "cross_entropy":
            return task.hard_label_loss(outputs, targets, weights, fit.label_smoothing, shares)
        return task.focal_loss(outputs, targets, weights, fit.hard_loss, shares)

    def sample_weights(self, targets: Targets) -> Tensor:
        """Weights of the softened loss, [B] or [B, K]; of mixed images by the shares of both."""
        task, weights = self.context.task, self.class_weights
        if isinstance(targets, MixedTargets):
            first = task.sample_weights(targets.first, weights)
            return targets.mean(first, task.sample_weights(targets.second, weights))
        return task.sample_weights(targets, weights)

    def softened_loss(
        self,
        student: Tensor,
        teacher: Tensor,
        temperature: float | Tensor,
        weights: Tensor | None = None,
    ) -> Tensor:
        """`TrainingTask.softened_loss`, to the balanced teacher where the config has `balance`."""
        if self.balancing is not None:
            teacher = balanced_teacher(teacher, self.balancing, temperature)
        return self.context.task.softened_loss(student, teacher, temperature, weights)

    def _balancing(self) -> Tensor | None:
        """Weights [K] of the teacher's softened classes, where the config has `balance`.

        Raises:
            InputError: The task's outputs cannot be balanced.
        """
        balance: Balancing = getattr(self.config, "balance", "none")
        if balance == "none":
            return None
        context = self.context
        if Trait.CLASS_PRIOR not in context.task.traits:
            message = f"`method.balance` needs a task with {Trait.CLASS_PRIOR.value}"
            raise InputError(message, "set it to none")
        return context.task.balancing_weights(
            context.class_counts, context.training_images, balance
        )


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the random numbers drawn in the block; those drawn after it do not depend on it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
