"""What all lowered files of one build share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.files import atomic_write, sha256_of
from edgekd.lower.attempt import Attempt
from edgekd.lower.backends import get_backend
from edgekd.lower.backends.base import reads_calibration
from edgekd.lower.int8.calibration import CalibrationSet
from edgekd.lower.precision import Variant
from edgekd.lower.progress import BuildObserver
from edgekd.lower.source import Source
from edgekd.lower.store import Store
from edgekd.recipe import fingerprint

__all__ = ["BuildContext", "saved_array"]


@dataclass(frozen=True)
class BuildContext:
    """What all lowered files of one build share.

    Attributes:
        source: The student and the validation images.
        calibration: Training images for int8, or None.
        store: Files and outputs of earlier builds.
        work: A folder that is removed after the build.
        logs: Folder of the converters' logs.
        observer: The progress observer.
        threads: Threads of each converter.
        quantisation_aware: Whether the weights of `source` were fine-tuned with simulated int8.
        ranges: Files of recorded ranges by backend and variant; they replace the calibration.
        features: Whether files give the student's features instead of its outputs.
    """

    source: Source
    calibration: CalibrationSet | None
    store: Store
    work: Path
    logs: Path
    observer: BuildObserver
    threads: int = 1
    quantisation_aware: bool = False
    ranges: Mapping[tuple[str, Variant], Path] = field(default_factory=dict)
    features: bool = False

    def attempt(self, backend: str, variant: Variant) -> Attempt:
        """The attempt to lower the student to a variant, with its key in the store.

        Raises:
            InputError: There is no such backend.
        """
        lowering = get_backend(backend)
        scanned = reads_calibration(lowering, variant)
        key = self.store.key(
            self.source.card, backend, variant, self._calibrated_by(backend, variant),
            scanned=scanned,
        )  # fmt: skip
        if self.features:
            key = fingerprint(key, "features")[: len(key)]
        return Attempt(lowering, variant, key, self.quantisation_aware)

    def _calibrated_by(self, backend: str, variant: Variant) -> str | None:
        """Hash of the recorded ranges, or else of the calibration images."""
        if recorded := self.ranges.get((backend, variant)):
            return f"ranges {sha256_of(recorded)}"
        return self.calibration.sha256 if self.calibration else None

    def validation_file(self) -> Path:
        """File (.npy) with the validation images, for the processes of jobs."""
        return saved_array(self.work / "validation.npy", lambda: self.source.images)


def saved_array(file: Path, array: Callable[[], NDArray[Any]]) -> Path:
    """The file (.npy), written with the array unless it is there."""
    if not file.is_file():  # two backends may both be the first to need it
        with atomic_write(file) as beside, beside.open("wb") as stream:
            np.save(stream, array())
    return file
