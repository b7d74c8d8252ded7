"""The section `fit` of teacher and student: optimiser, schedule, loss."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from edgekd.recipe.section import Balance, Fraction, Positive, Rate, Section

__all__ = ["FitSection", "OptimiserSection"]


class OptimiserSection(Section, frozen=True, kw_only=True):
    """An optimiser and the schedule of its learning rate; by default AdamW with one cycle.

    Attributes:
        optimizer: `adamw`, or `sgd` with momentum.
        learning_rate: Largest rate of the schedule.
        momentum: Momentum of SGD, constant under every schedule.
        weight_decay: Weight decay, not applied to biases and norms.
        schedule: `one_cycle` (Smith & Topin 2018; with AdamW its β₁ falls from 0.95 to 0.85 and
            comes back); `plateau` (a tenth after `patience` epochs without a better
            validation score); or `steps` (a tenth at each of `milestones`).
        warmup: Share of the steps in which the one cycle rises.
        patience: Number of epochs, for `plateau`.
        milestones: Numbers of the epochs, for `steps`.
    """

    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Rate = 1e-3
    momentum: Fraction = 0.9
    weight_decay: Annotated[float, Meta(ge=0.0)] = 0.02
    schedule: Literal["one_cycle", "plateau", "steps"] = "one_cycle"
    warmup: Fraction = 0.2
    patience: Positive = 10
    milestones: tuple[Positive, ...] = ()


class FitSection(OptimiserSection, frozen=True, kw_only=True):
    """How a network is trained.

    Attributes:
        epochs: Passes over the training part.
        batch_size: Images of a batch, on each device.
        stop_after: Stop after so many epochs without a better validation score; 0 never does.
        class_weights: Weight of a class of n images in the hard-label loss: ∝ 1, 1/√n or 1/n.
        class_sampling: How often a class of n images is drawn: ∝ n, ∝ √n, or all equally.
        label_smoothing: Share of a hard label that is spread over its alternatives.
    """

    epochs: Positive = 10
    batch_size: Positive = 64
    stop_after: Annotated[int, Meta(ge=0)] = 0
    class_weights: Balance = "sqrt"
    class_sampling: Balance = "none"
    label_smoothing: Fraction = 0.0
