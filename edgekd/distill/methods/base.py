"""The one interface of all methods.

A method owns the student, the teacher and whatever else it trains, and says in stages what is
trained by which objective. The training module (`edgekd.distill.module`) knows no method by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from torch import Tensor, nn

from edgekd.recipe import FitSection, Section

if TYPE_CHECKING:
    from edgekd.distill.module import StageModule

__all__ = ["Batch", "Method", "MethodContext", "Objective", "Stage", "Step", "Terms"]

Terms = dict[str, Tensor]
"""Named loss terms, weights applied: their sum is minimised, each is logged and plotted."""


@dataclass(frozen=True)
class Batch:
    """What an objective sees of one step.

    Attributes:
        pixels: Augmented images, float32 [B, 3, S, S] in 0…1 (networks normalise themselves).
        targets: Class indices [B].
        indices: Positions [B] in the data set, for methods that remember samples.
    """

    pixels: Tensor
    targets: Tensor
    indices: Tensor


Objective = Callable[[Batch], Terms]
Step = Callable[["StageModule", Batch], Terms]


@dataclass(frozen=True)
class MethodContext:
    """What a method may know of the run.

    Attributes:
        class_counts: Training images of each class.
        class_weights: Weights of the hard-label loss, float32 [K].
        samples: Number of images in the data set, for banks.
        image_size: S.
        fit: How the student is trained.
    """

    class_counts: tuple[int, ...]
    class_weights: Tensor
    samples: int
    image_size: int
    fit: FitSection


@dataclass(frozen=True)
class Stage:
    """One training: of what, on which samples, by which objective.

    Attributes:
        name: For logs and folders.
        trained: Modules whose parameters are optimised; every other module is frozen.
        objective: Loss terms of a batch.
        evaluated: The network whose validation metrics choose the best epoch.
        samples: Which samples it runs over.
        fit: Where it differs from the student's.
        step: For a method that takes the step in its own hands (alternating players, gradients
            through updates): it optimises through the given training module and returns the
            terms to log; `objective` is then not called.
    """

    name: str
    trained: tuple[nn.Module, ...]
    objective: Objective
    evaluated: nn.Module
    samples: Literal["labelled", "unlabelled", "synthesised", "none"] = "labelled"
    fit: FitSection | None = None
    step: Step | None = None


class Method(nn.Module, ABC):
    """Base of all methods.

    Args:
        config: The method's own keys of the recipe.
        student: Takes pixels, gives logits.
        teacher: Likewise, frozen; None for methods without one.
        context: What a method may know of the run.
    """

    name: ClassVar[str]
    Config: ClassVar[type[Section]] = Section
    needs_teacher: ClassVar[bool] = True
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

    @abstractmethod
    def stages(self) -> tuple[Stage, ...]:
        """The stages in order; the last one leaves the student trained."""
