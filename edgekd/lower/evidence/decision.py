"""Requirements on the decision of a lowered file, and a fitted decision; the same for all tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.metrics import OperatingPoint, wilson
from edgekd.policy import DecisionRule, Policy

if TYPE_CHECKING:
    from edgekd.lower.source import Source

__all__ = ["DecisionRequirements", "Fit", "description_of_images", "requirements_of", "share_of"]


@dataclass(frozen=True)
class DecisionRequirements:
    """What the policy demands of a decision, and the labelled images that it is fitted on.

    Attributes:
        rule: The policy's rule for decisions.
        classes: The class names.
        critical: Names of the critical classes among them.
        targets: Targets of the images [N, …], as the task's data layer makes them.
        fitted_on: Description of the images, for the manifest.
        ordered: Whether the classes are grades.
        groups: A number for the lesion or patient of each image [N]; None where none are known.
        task: Name of the task.
    """

    rule: DecisionRule
    classes: Sequence[str]
    critical: Sequence[str]
    targets: NDArray[Any]
    fitted_on: dict[str, Any]
    ordered: bool = False
    groups: NDArray[np.int64] | None = None
    task: str = DEFAULT_TASK


@dataclass(frozen=True)
class Fit:
    """A fitted decision.

    Attributes:
        decision: The manifest's section, of the type that the task's manifest layer names.
        points: Operating point of each critical class; without a threshold for lack of evidence.
    """

    decision: Any
    points: dict[str, OperatingPoint] = field(default_factory=dict)


def requirements_of(source: Source, policy: Policy) -> DecisionRequirements:
    """What a policy demands of the decision of a student's files, on its validation images."""
    classes = source.card.classes
    fitted_on = description_of_images(source.groups, source.data.sha256, source.images_sha256)
    return DecisionRequirements(
        rule=policy.decision,
        classes=classes,
        critical=tuple(policy.critical_of(classes)),
        targets=source.targets,
        fitted_on=fitted_on,
        ordered=source.card.ordered,
        groups=source.groups,
        task=source.card.task,
    )


def description_of_images(
    groups: NDArray[np.int64], split_sha256: str, images_sha256: str
) -> dict[str, Any]:
    """Description of the images that a decision is fitted on, for the manifest.

    Args:
        groups: A number for the lesion or patient of each image [N].
        split_sha256: Hash of the split that they are of.
        images_sha256: Hash of the images as the network gets them.
    """
    return {
        "part": "validation",
        "images": len(groups),
        "groups": len(np.unique(groups)),
        "split_sha256": split_sha256,
        "images_sha256": images_sha256,
    }


def share_of(flags: NDArray[np.bool_]) -> dict[str, float | None]:
    """Share of flags [N] that are true, with its Wilson 95 % interval, for the manifest."""
    estimate: dict[str, float | None] = wilson(int(flags.sum()), flags.size)._asdict()
    return estimate
