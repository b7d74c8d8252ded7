"""`none`: plain supervised training, for teachers and for the undistilled student."""

from __future__ import annotations

from edgekd.distill.losses import weighted_cross_entropy
from edgekd.distill.methods.base import Batch, Method, Stage, Terms

__all__ = ["Supervised"]


class Supervised(Method):
    """Class-weighted cross-entropy on the hard labels."""

    name = "none"
    needs_teacher = False

    def stages(self) -> tuple[Stage, ...]:
        """One stage: the network itself."""
        return (Stage("supervised", (self.student,), self._objective, self.student),)

    def _objective(self, batch: Batch) -> Terms:
        smoothing = self.context.fit.label_smoothing
        logits = self.student(batch.pixels)
        return {"ce": weighted_cross_entropy(logits, batch.targets, self.class_weights, smoothing)}
