"""`none`: plain supervised training, for teachers and for the undistilled student."""

from __future__ import annotations

from edgekd.distill.methods.base import Batch, Method, Stage, Terms

__all__ = ["Supervised"]


class Supervised(Method):
    """The task's loss on the hard labels."""

    name = "none"
    mixes = True
    needs_teacher = False

    def stages(self) -> tuple[Stage, ...]:
        """One stage: the network itself."""
        return (Stage("supervised", (self.student,), self._objective, self.student),)

    def _objective(self, batch: Batch) -> Terms:
        return {"ce": self.hard_label(self.student(batch.pixels), batch.targets)}
