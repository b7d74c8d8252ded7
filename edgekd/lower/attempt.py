"""The stages of one attempt of the precision ladder, each with a type of its own.

`Attempt` → `Lowered` → `Checked` → `Measured`; an attempt that ends earlier is `Failed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgekd.bundle import EngineCheck
from edgekd.lower.backends.base import Backend
from edgekd.lower.jobs.process import JobError
from edgekd.lower.jobs.trial import Answers
from edgekd.lower.precision import Variant
from edgekd.lower.store import Kept

__all__ = ["Attempt", "Checked", "Failed", "Lowered", "Measured"]

_PARTITIONS = "xnnpack_partitions"


@dataclass(frozen=True)
class Attempt:
    """One try to lower the student: a backend and a precision.

    Attributes:
        backend: The lowering backend.
        variant: The precision, with the layers that stay in float.
        key: Key in the store, see `Store.key`.
        quantisation_aware: Whether the weights were fine-tuned with simulated int8.
    """

    backend: Backend
    variant: Variant
    key: str
    quantisation_aware: bool = False

    @property
    def label(self) -> str:
        """Name of the variant, for people and folders."""
        return self.variant.label


@dataclass(frozen=True, eq=False)
class Lowered:
    """An attempt with its files.

    Attributes:
        attempt: What was lowered.
        made: The files in the store.
    """

    attempt: Attempt
    made: Kept

    @property
    def model_file(self) -> Path:
        """The file that the engine opens."""
        return self.made.folder / self.attempt.backend.model_file


@dataclass(frozen=True, eq=False)
class Checked:
    """Files that the device's engine is not known to refuse.

    Attributes:
        lowered: The files.
        check: Result of the check; None where the backend has none, since this host has the
            device's engine.
    """

    lowered: Lowered
    check: EngineCheck | None

    @property
    def attempt(self) -> Attempt:
        """What was lowered."""
        return self.lowered.attempt


@dataclass(frozen=True, eq=False)
class Measured:
    """Files with their outputs for the validation images.

    Attributes:
        checked: The files.
        answers: Their outputs and times, by their own runtime on this host.
    """

    checked: Checked
    answers: Answers

    @property
    def attempt(self) -> Attempt:
        """What was lowered."""
        return self.checked.attempt

    @property
    def made(self) -> Kept:
        """The files in the store."""
        return self.checked.lowered.made

    @property
    def check(self) -> EngineCheck | None:
        """Result of the check, see `Checked`."""
        return self.checked.check

    def files(self) -> dict[str, Path | bytes]:
        """The files by their names in the bundle."""
        return {file.name: file for file in sorted(self.made.folder.iterdir())}

    @property
    def latency_ms(self) -> float | None:
        """Median milliseconds of an image here; None where the device has another engine."""
        if self.attempt.backend.completion != "complete":
            return None
        return self.answers.latency_ms

    @property
    def partitions(self) -> int | None:
        """Number of partitions of the engine's delegate, where it reports them; 1 is best."""
        count = self.answers.facts.get(_PARTITIONS)
        return count if isinstance(count, int) else None


@dataclass(frozen=True, eq=False)
class Failed:
    """An attempt that ended before it was measured.

    Attributes:
        attempt: What was to be lowered.
        stage: The step in which it ended.
        failure: The cause, for people.
        error: Error of the job that failed; None where the device's engine would refuse the file.
        made: The files; None where there are none.
    """

    attempt: Attempt
    stage: Literal["lowering", "checking", "running"]
    failure: str
    error: JobError | None = None
    made: Kept | None = None

    @classmethod
    def by_job(
        cls,
        attempt: Attempt,
        stage: Literal["lowering", "running"],
        error: JobError,
        made: Kept | None = None,
    ) -> Failed:
        """The attempt, ended by an error of its job."""
        return cls(attempt, stage, f"{error.message}; {error.hint}", error, made)
