"""What a run could not measure, and what ended it early."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgekd.bench.result import EarlyEnd, Flag, Missing
from edgekd.errors import DeviceUnreachableError, EdgekdError, MissingDependencyError

__all__ = ["INTERRUPTED", "RunInterruptedError", "RunLog"]

INTERRUPTED = "the run was interrupted"


class RunInterruptedError(EdgekdError):
    """The user ended the run before this was measured."""

    exit_code = 130


@dataclass
class RunLog:
    """Missing numbers and the early end of one run.

    Attributes:
        missing: Numbers that were requested and not measured.
        early_end: The first event that ended the run early, or None.
        lost: The error after which the device is not used any more, or None.
    """

    missing: list[Missing] = field(default_factory=list)
    early_end: EarlyEnd | None = None
    lost: EdgekdError | None = None

    @property
    def interrupted(self) -> bool:
        """Whether the user has ended the run."""
        return self.early_end is not None and self.early_end.kind == "interrupted"

    def interrupt(self, subject: str) -> None:
        """Record that the user ended the run while `subject` was measured."""
        message = f"{subject}: {INTERRUPTED}"
        self.early_end = self.early_end or EarlyEnd(kind="interrupted", message=message)

    def lose(self, device: str, error: DeviceUnreachableError | MissingDependencyError) -> None:
        """Record that the device does not answer any more, or lacks a package."""
        unreachable = isinstance(error, DeviceUnreachableError)
        why = "does not answer" if unreachable else "lacks something"
        message = f"{device} {why}: {error.message}"
        kind = "unreachable" if unreachable else "lacking"
        self.lost = error
        self.early_end = EarlyEnd(kind="unreachable" if unreachable else "lacking", message=message)
        self.missing.append(Missing(row=None, code=kind, detail=message))

    def miss(self, row: str | None, flag: Flag) -> None:
        """Record that a number of a row was not measured."""
        self.missing.append(Missing(row=row, code=flag.code, detail=flag.detail))

    def distinct_missing(self) -> list[Missing]:
        """Every missing number once, in order."""
        unique: list[Missing] = []
        for each in self.missing:
            if each not in unique:
                unique.append(each)
        return unique
