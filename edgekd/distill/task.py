"""What training has to know of a task: outputs, losses, balance, and what methods may rely on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from edgekd.extensions.tasks import load_layer
from edgekd.recipe import Balance, Balancing, LossSection

if TYPE_CHECKING:
    from torch import Tensor

    from edgekd.data.augment import Augmentation, Draw

__all__ = ["TrainingTask", "Trait", "training_task"]


class Trait(Enum):
    """A property of a task that a method may need; the value completes "needs a task with …"."""

    SOFTENED_OUTPUTS = "outputs that can be softened by a temperature"
    EXCLUSIVE_CLASSES = "exactly one class for each image"
    IMAGE_LEVEL = "one answer for the whole image, however it is turned"
    SUBCLASSES = "classes that can be divided into subclasses"
    FOCAL_LOSS = "a focal loss on its labels"
    CLASS_PRIOR = "outputs whose class prior can be adjusted"


class TrainingTask(ABC):
    """The training layer of a task."""

    traits: frozenset[Trait] = frozenset()
    """What methods may rely on; a method that needs more is refused."""

    @abstractmethod
    def outputs(self, classes: Sequence[str]) -> int:
        """Number of outputs of the network's head."""

    @abstractmethod
    def hard_label_loss(
        self,
        outputs: Tensor,
        targets: Tensor,
        weights: Tensor,
        smoothing: float,
        shares: Tensor | None = None,
    ) -> Tensor:
        """The loss on the labels, a scalar.

        Args:
            outputs: Outputs of the network [B, …].
            targets: Targets [B, …], as the data layer gives them.
            weights: Weights of `class_weights`.
            smoothing: Share of a label that is spread over its alternatives.
            shares: What each row counts [B], where images are mixed and have a row for each of
                their labels; None where all count the same. Only tasks with `Trait.IMAGE_LEVEL`
                receive them.
        """

    @abstractmethod
    def class_weights(self, counts: Sequence[int], images: int, balance: Balance) -> Tensor:
        """Weights of the hard-label loss against class imbalance, float32 [K].

        Args:
            counts: Training images of each class.
            images: Number of training images.
            balance: How strongly rare classes are raised.
        """

    @abstractmethod
    def sampling_weights(
        self, targets: NDArray[Any], counts: Sequence[int], balance: Balance
    ) -> Tensor:
        """How often each training image is drawn, relative to the others, float64 [N].

        Args:
            targets: Targets of the training images [N, …].
            counts: Training images of each class.
            balance: How strongly rare classes are raised.
        """

    def focal_loss(
        self,
        outputs: Tensor,
        targets: Tensor,
        weights: Tensor,
        loss: LossSection,
        shares: Tensor | None = None,
    ) -> Tensor:
        """The loss on the labels that a recipe may name instead of `hard_label_loss`, a scalar.

        For tasks with `Trait.FOCAL_LOSS`. γ = 0 without a limit is `hard_label_loss`, or its sum
        over classes taken one by one.

        Args:
            outputs: Outputs of the network [B, …].
            targets: Targets [B, …], as the data layer gives them.
            weights: Weights of `class_weights`.
            loss: `focal` or `multi_weighted_focal`, and its keys.
            shares: See `hard_label_loss`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no focal loss")

    def log_prior(self, targets: NDArray[Any], draws: Tensor, classes: int) -> Tensor:
        """What logit adjustment adds to the outputs in training, float32 [K].

        For tasks with `Trait.CLASS_PRIOR`.

        Args:
            targets: Targets of the training images [N, …].
            draws: How often each of them is drawn, relative to the others, float64 [N].
            classes: K.
        """
        raise NotImplementedError(f"{type(self).__name__} has no class prior")

    def balancing_weights(self, counts: Sequence[int], images: int, balance: Balancing) -> Tensor:
        """Weights by which a teacher's softened classes are balanced, positive, float32 [K].

        For tasks with `Trait.CLASS_PRIOR`.

        Args:
            counts: Training images of each class.
            images: Number of training images.
            balance: How strongly rare classes are raised; `effective` by the effective number of
                their images.
        """
        raise NotImplementedError(f"{type(self).__name__} has no class prior")

    def softened_loss(
        self,
        student: Tensor,
        teacher: Tensor,
        temperature: float | Tensor,
        weights: Tensor | None = None,
    ) -> Tensor:
        """T² · mean divergence of the student's softened outputs from the teacher's, a scalar.

        For tasks with `Trait.SOFTENED_OUTPUTS`.

        Args:
            student: Outputs [B, …].
            teacher: Outputs [B, …]; no gradient flows to them.
            temperature: T > 0: a number, or a tensor, [] or one T for each image [B].
            weights: Weights of `sample_weights`; the mean is then weighted.
        """
        raise NotImplementedError(f"{type(self).__name__} softens no outputs")

    def sample_weights(self, targets: Tensor, weights: Tensor) -> Tensor:
        """Weights of the softened loss, [B] or [B, K], from targets [B, …] and class weights [K].

        For tasks with `Trait.SOFTENED_OUTPUTS`.
        """
        raise NotImplementedError(f"{type(self).__name__} softens no outputs")

    def mean_probabilities(self, outputs: Tensor, weights: Tensor) -> Tensor:
        """Outputs [B, …] of the averaged probabilities of several outputs [M, B, …].

        For tasks with `Trait.SOFTENED_OUTPUTS`.

        Args:
            outputs: Outputs of several networks, or for several views.
            weights: Their weights, w ≥ 0 with sum 1 [M].
        """
        raise NotImplementedError(f"{type(self).__name__} has no probabilities")

    def augmented(
        self, pixels: Tensor, targets: Tensor, augmentation: Augmentation, draw: Draw
    ) -> tuple[Tensor, Tensor]:
        """Images [B, 3, M, M] augmented by a draw, and their targets after the same change.

        Targets that belong to the whole image stay as they are. A task of masks overrides this with
        `augmentation.apply_with_maps`.
        """
        return augmentation.apply(pixels, draw), targets


def training_task(name: str) -> TrainingTask:
    """The training layer of a task; see `load_layer` for errors."""
    layer: TrainingTask = load_layer(name, "training", TrainingTask)
    return layer
