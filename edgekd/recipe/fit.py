"""The section `fit` of teacher and student: optimiser, schedule, loss."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edgekd.recipe.section import Balance, Fraction, Positive, Rate, Section

__all__ = ["AdamSection", "FitSection", "LossSection", "OptimiserSection"]

HardLoss = Literal["cross_entropy", "focal", "multi_weighted_focal"]


class LossSection(Section, frozen=True, kw_only=True):
    """The loss on the labels.

    Attributes:
        name: `cross_entropy`; `focal`, which takes weight from images that are already right (Lin
            et al. 2017); or `multi_weighted_focal`, which also limits the cross-entropy of images
            that are far wrong (Yao et al. 2022).
        gamma: γ of the focal losses, which weigh an image by (1 − p)^γ.
        beta: β of the multi-weighted one: below this confidence an image's cross-entropy rises no
            further. 0 sets no limit.
    """

    name: HardLoss = "cross_entropy"
    gamma: Annotated[float, Meta(ge=0.0)] = 2.0
    beta: Fraction = 0.1

    def __post_init__(self) -> None:
        """Refuse keys that the loss does not read."""
        unread = {"cross_entropy": ("gamma", "beta"), "focal": ("beta",)}.get(self.name, ())
        plain = {field.name: field.default for field in msgspec.structs.fields(LossSection)}
        for key in unread:
            if getattr(self, key) != plain[key]:
                raise ValueError(f"the loss {self.name} takes no {key}")


class OptimiserSection(Section, frozen=True, kw_only=True):
    """An optimiser and the schedule of its learning rate; by default AdamW with one cycle.

    Attributes:
        optimizer: `adamw`, or `sgd` with momentum.
        learning_rate: Largest rate of the schedule.
        momentum: Momentum of SGD, constant under every schedule.
        weight_decay: Weight decay, not applied to biases and norms.
        schedule: `one_cycle` (Smith & Topin 2018; with AdamW its β₁ falls from 0.95 to 0.85 and
            comes back); `cosine` (a linear rise, then half a cosine down to 0; Loshchilov & Hutter
            2017); `plateau` (a tenth after `patience` epochs without a better validation score); or
            `steps` (a tenth at each of `milestones`).
        warmup: Share of the steps in which `one_cycle` and `cosine` rise.
        patience: Number of epochs, for `plateau`.
        milestones: Numbers of the epochs, for `steps`.
        layer_decay: Factor on the learning rate from a layer to the one before it, towards the
            input, for pretrained networks; 1 is the same rate everywhere.
        clip: Largest norm of the gradient, to which a longer one is scaled down; 0 for no limit.
    """

    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Rate = 1e-3
    momentum: Fraction = 0.9
    weight_decay: Annotated[float, Meta(ge=0.0)] = 0.02
    schedule: Literal["one_cycle", "cosine", "plateau", "steps"] = "one_cycle"
    warmup: Fraction = 0.2
    patience: Positive = 10
    milestones: tuple[Positive, ...] = ()
    layer_decay: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0
    clip: Annotated[float, Meta(ge=0.0)] = 0.0


class AdamSection(OptimiserSection, frozen=True, kw_only=True):
    """Adam at a constant rate, with the β₁ that generators are trained with.

    Attributes:
        betas: β₁ and β₂. The first is that of Radford et al. 2016, "Unsupervised Representation
            Learning with Deep Convolutional Generative Adversarial Networks" (ICLR).
    """

    weight_decay: Annotated[float, Meta(ge=0.0)] = 0.0
    schedule: Literal["one_cycle", "cosine", "plateau", "steps"] = "steps"
    betas: tuple[Fraction, Fraction] = (0.5, 0.999)


class FitSection(OptimiserSection, frozen=True, kw_only=True):
    """How a network is trained.

    Attributes:
        epochs: Passes over the training part.
        batch_size: Images of a batch, on each device.
        image_sizes: Sides of the augmented training images in pixels, in equal shares of the
            epochs; the last is the recipe's `image_size`, at which every epoch is validated. Empty
            for that size from the start.
        average: Decay of the moving average of the weights that is validated and kept instead of
            the weights themselves, such as 0.999; 0 for none.
        keep: The epoch whose weights are kept: the `best` by the validation score, or the `last`,
            which a few validation images of a rare class cannot choose by chance.
        stop_after: Stop after so many epochs without a better validation score; 0 never does.
            Epochs at smaller `image_sizes` than the last do not count.
        stop_gain: Gain in the validation score that pays for an epoch: stop as well where the last
            `stop_after` epochs raised the best score by less than this on average.
        class_weights: Weight of a class of n images in the hard-label loss: ∝ 1, 1/√n or 1/n.
            A subclass has the weight of its class.
        class_sampling: How often a class of n images is drawn: ∝ n, ∝ √n, or all equally.
        label_smoothing: Share of a hard label that is spread over its alternatives.
        loss: The loss on the labels: a name, or `{name: …}` and that loss's own keys.
        logit_adjustment: τ: in training τ·log π is added to the logits that the hard-label loss
            sees, π being the share of each class among the images that are drawn, for a subclass
            that of its class; the network is used without it (Menon et al. 2021; 1 corrects the
            imbalance fully).
    """

    epochs: Positive = 10
    batch_size: Positive = 64
    image_sizes: tuple[Annotated[int, Meta(ge=16, le=2048)], ...] = ()
    average: Fraction = 0.0
    keep: Literal["best", "last"] = "best"
    stop_after: Annotated[int, Meta(ge=0)] = 0
    stop_gain: Annotated[float, Meta(ge=0.0)] = 0.0
    class_weights: Balance = "sqrt"
    class_sampling: Balance = "none"
    label_smoothing: Fraction = 0.0
    loss: HardLoss | LossSection = "cross_entropy"
    logit_adjustment: Annotated[float, Meta(ge=0.0)] = 0.0

    def __post_init__(self) -> None:
        """Refuse keys that contradict each other, or that would do nothing."""
        if self.stop_gain and not self.stop_after:
            raise ValueError("stop_gain needs stop_after, the epochs over which it is measured")
        if self.stop_after and self.keep == "last":
            raise ValueError(
                "stop_after ends with epochs that were no better, and keep: last would keep them; "
                "set one of the two"
            )
        if len(self.image_sizes) > self.epochs:
            raise ValueError(f"there are more image_sizes than the {self.epochs} epochs")
        if self.hard_loss.name != "cross_entropy" and self.label_smoothing:
            raise ValueError(
                f"the loss {self.hard_loss.name} weighs an image by its confidence in one label; "
                "set label_smoothing to 0"
            )
        if self.logit_adjustment:
            self._refuse_double_correction()

    @property
    def hard_loss(self) -> LossSection:
        """The loss on the labels with all of its keys."""
        return LossSection(name=self.loss) if isinstance(self.loss, str) else self.loss

    def _refuse_double_correction(self) -> None:
        """Refuse what corrects the same imbalance a second time, or what adjustment would spoil."""
        if self.hard_loss.name != "cross_entropy":
            raise ValueError("logit_adjustment is a correction of cross_entropy alone")
        if self.class_weights != "none":
            raise ValueError(
                "logit_adjustment and class_weights correct the same imbalance; set class_weights "
                "to none"
            )
        if self.class_sampling == "full":
            raise ValueError(
                "class_sampling full leaves no imbalance for logit_adjustment; set it to none or "
                "sqrt"
            )
        if self.label_smoothing:
            raise ValueError(
                "label_smoothing with logit_adjustment would raise rare classes in every image; "
                "set it to 0"
            )

    def training_side(self, epoch: int, image_size: int) -> int:
        """Side of the augmented training images in an epoch, counted from 0, in pixels.

        Args:
            epoch: The epoch.
            image_size: The recipe's `image_size`, for a training without `image_sizes`.
        """
        if not self.image_sizes:
            return image_size
        share = epoch * len(self.image_sizes) // self.epochs
        return self.image_sizes[min(share, len(self.image_sizes) - 1)]
