"""What lowering has to know of a task: what a file may lose, and how its decision is fitted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import GateRecord
from edgekd.extensions.tasks import load_layer
from edgekd.lower.evidence.decision import DecisionRequirements, Fit
from edgekd.lower.evidence.floors import FloorMeasures
from edgekd.lower.evidence.gate import (
    Changes,
    GateReference,
    conversion_faults,
    losses,
    missing_certificates,
    output_difference,
    too_few_images,
)
from edgekd.metrics.task import metrics_task
from edgekd.runtime.sessions.base import Facts
from edgekd.runtime.task import device_task

if TYPE_CHECKING:  # a board that judges its engine has no torch
    from torch import Tensor

__all__ = ["EvidenceTask", "evidence_task"]

Outputs = NDArray[np.float32]


class EvidenceTask(ABC):
    """The evidence layer of a task. Imports nothing heavier than NumPy: devices judge engines too.

    The gate itself is the same for all tasks: enough images, finite outputs, fp32 files that agree
    with the student, flips, and the losses that a task measures. Agreement of two outputs
    is that of the task's device layer.
    """

    divergence_unit: str = "nats"
    """Unit of `divergence`, for messages."""

    # ---- the gate ----

    @abstractmethod
    def changes(self, reference: GateReference, outputs: Outputs) -> Changes:
        """Paired losses of outputs [N, …] against the student's; rows may not be finite."""

    def calibration_error(self, outputs: Outputs, targets: NDArray[Any]) -> float | None:
        """Expected calibration error of finite outputs [N, …], calibrated on these very images.

        None where the task has none, or there are no images.
        """
        return None

    def measures(self, reference: GateReference, lowered: Outputs) -> dict[str, float]:
        """The task's own numbers for the gate's record, of finite outputs [N, …]."""
        return {}

    def task_losses(self, reference: GateReference, record: GateRecord) -> Sequence[str]:
        """One sentence for each task-specific limit that a record exceeds."""
        return ()

    def missing_certificates(self, reference: GateReference, lossless: Changes) -> Sequence[str]:
        """One sentence for each limit that no file could prove on these images.

        Args:
            reference: The images and the limits.
            lossless: Changes of a file whose outputs are the student's.
        """
        return list(missing_certificates(reference, lossless))

    def lacking_evidence(self, reference: GateReference) -> list[str]:
        """Why no file could pass on these images, whatever its outputs; empty where one could."""
        lossless = self.changes(reference, reference.student)
        return [*too_few_images(reference), *self.missing_certificates(reference, lossless)]

    def judge(
        self, reference: GateReference, lowered: Outputs, *, runtime: Facts, exact: bool = False
    ) -> GateRecord:
        """Compare the outputs of a lowered file with the float student's on the same images.

        Args:
            reference: The student, the images and the limits.
            lowered: Outputs [N, …] of the file, by its own runtime.
            runtime: Name, version and settings of what ran the file.
            exact: Whether the file has the student's own precision; it must then agree with it.

        Returns:
            The verdict with its numbers. Missing evidence fails: too few images, too few of a
            critical class, a class with none or one, or outputs that are not finite.

        Raises:
            InputError: The student's outputs are not finite.
        """
        record = self._record(reference, lowered, runtime)
        lossless = self.changes(reference, reference.student)
        reasons = (
            *too_few_images(reference),
            *self.missing_certificates(reference, lossless),
            *conversion_faults(reference, lowered, exact=exact),
            *losses(reference, record, lossless),
            *self.task_losses(reference, record),
        )
        return msgspec.structs.replace(record, passed=not reasons, reasons=reasons)

    def _record(self, reference: GateReference, lowered: Outputs, runtime: Facts) -> GateRecord:
        """The measured numbers, without a verdict."""
        changes = self.changes(reference, lowered)
        drop, images = changes.balanced_accuracy_drop, len(reference.targets)
        finite = bool(np.isfinite(lowered).all())
        ece = self.calibration_error(lowered, reference.targets) if finite else None
        student_ece = self.calibration_error(reference.student, reference.targets)
        agreed = device_task(reference.task).agree(reference.student, lowered)
        return GateRecord(
            passed=False,
            reasons=(),
            images=images,
            max_logit_difference=output_difference(reference.student, lowered),
            flips=float((~agreed).mean()) if images else 0.0,
            balanced_accuracy=changes.balanced_accuracy,
            balanced_accuracy_drop=None if drop is None else drop.value or 0.0,
            balanced_accuracy_drop_high=None if drop is None else drop.high,
            ece=ece,
            ece_increase=None if ece is None or student_ece is None else ece - student_ece,
            per_class=dict(changes.per_class),
            measures=self.measures(reference, lowered) if finite else {},
            limits={
                name: float(value)
                for name, value in msgspec.structs.asdict(reference.limits).items()
            },
            runtime=dict(runtime),
        )

    # ---- the decision ----

    @abstractmethod
    def fit_decision(self, requirements: DecisionRequirements, outputs: Outputs) -> Fit:
        """The decision of a file, fitted on its own outputs [N, …] for labelled images.

        Raises:
            GateFailedError: No decision meets the requirements.
        """

    @abstractmethod
    def outcome(
        self,
        decision: Any,
        outputs: Outputs,
        targets: NDArray[Any],
        classes: Sequence[str],
        retaken: NDArray[np.bool_],
    ) -> dict[str, Any]:
        """What the whole decision does with labelled images, as counts and shares.

        Args:
            decision: The manifest's decision.
            outputs: The file's outputs [N, …].
            targets: Targets of the images [N, …].
            classes: The class names.
            retaken: Whether each image [N] would have to be taken again.

        Returns:
            For the manifest's `metrics.decision`: `answered` and `retaken`, shares of the images;
            `right`, share of the answers; `per_class`, by name. Each share has its Wilson
            interval, see `share_of`.
        """

    @abstractmethod
    def floors(
        self,
        requirements: DecisionRequirements,
        decision: Any,
        outputs: Outputs,
        retaken: NDArray[np.bool_],
    ) -> FloorMeasures:
        """What a file reaches by itself, for the floors of a policy.

        Args:
            requirements: The labelled images and the critical classes.
            decision: The manifest's decision.
            outputs: The file's outputs for these images [N, …], finite.
            retaken: Whether each image [N] would have to be taken again.
        """

    def metrics_with(
        self,
        fit: Fit,
        requirements: DecisionRequirements,
        outputs: Outputs,
        retaken: NDArray[np.bool_],
    ) -> dict[str, Any]:
        """Metrics of a file and its decision on the images that the decision was fitted on.

        Args:
            fit: The decision.
            requirements: Requirements that the decision was fitted to.
            outputs: The file's outputs [N, …].
            retaken: Whether each image [N] would have to be taken again.
        """
        task, targets = requirements.task, requirements.targets
        metrics = metrics_task(task).evaluate(
            device_task(task).calibrated(outputs, fit.decision),
            targets,
            requirements.classes,
            ordered=requirements.ordered,
            groups=requirements.groups,
        )
        return {
            "artefact": msgspec.to_builtins(metrics),
            "decision": self.outcome(fit.decision, outputs, targets, requirements.classes, retaken),
            "operating_points": msgspec.to_builtins(fit.points),
        }

    def decision_lines(self, decision: Any, points: Mapping[str, Any]) -> Iterator[str]:
        """The fitted decision in sentences, for the bundle's card; by default its numbers.

        Args:
            decision: The manifest's decision.
            points: `OperatingPoint` by class, as plain values.
        """
        for name, value in msgspec.structs.asdict(decision).items():
            if isinstance(value, int | float):
                yield f"{name.replace('_', ' ').capitalize()}: {value:.4g}."
        for name, point in points.items():
            at, why = point["threshold"], point["reason"]
            yield f"No threshold for {name}: {why}." if at is None else f"{name}: from {at:.3f} on."

    # ---- int8 ----

    @abstractmethod
    def divergence(self, plain: Outputs, changed: Outputs) -> NDArray[np.float64]:
        """Divergence [N] of changed outputs [N, …] from the plain ones, in `divergence_unit`."""

    def imitation_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Loss of a student that imitates a teacher's outputs [N, …], without labels; a scalar.

        By default the mean squared difference, which does not use the temperature.
        """
        return (student - teacher).square().mean()

    # ---- the bundle ----

    def selftest_order(self, targets: NDArray[Any], count: int) -> NDArray[np.int64]:
        """Positions of the `count` images for the self-test: different targets [N, …] in turn."""
        _, codes = np.unique(targets, axis=0, return_inverse=True)
        codes = codes.reshape(-1)  # NumPy 2.0 alone gives it a second axis
        turn = np.zeros(len(codes), np.int64)
        for code in np.unique(codes):
            turn[codes == code] = np.arange((codes == code).sum())
        return np.argsort(turn, kind="stable")[:count]

    def output_format(self, classes: Sequence[str]) -> dict[str, Any]:
        """The network's output by the field names of MONAI's bundle specification."""
        return {
            "type": "probabilities",
            "format": "logits",
            "num_channels": len(classes),
            "dtype": "float32",
            "channel_def": {str(index): name for index, name in enumerate(classes)},
        }


def evidence_task(name: str) -> EvidenceTask:
    """The evidence layer of a task; see `load_layer` for errors."""
    layer: EvidenceTask = load_layer(name, "evidence", EvidenceTask)
    return layer
