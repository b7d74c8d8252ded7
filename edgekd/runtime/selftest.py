"""The self-test: real images with the logits that the builder saw, run again on this machine.

A delegate or an emulated instruction that computes rubbish is found out before a patient is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgekd.errors import ArtefactError

if TYPE_CHECKING:
    from edgekd.runtime.sessions.base import Session

__all__ = ["SelfTestReport", "Vectors", "run_selftest"]


@dataclass(frozen=True)
class Vectors:
    """Self-test vectors: `images` uint8 [N, S, S, 3], `logits` float32 [N, K], one tolerance."""

    images: NDArray[np.uint8]
    logits: NDArray[np.float32]
    tolerance: float

    def save(self, path: Path) -> None:
        """Write them as `selftest.npz`."""
        tolerance = np.float64(self.tolerance)
        np.savez_compressed(path, images=self.images, logits=self.logits, tolerance=tolerance)

    @classmethod
    def load(cls, path: Path) -> Vectors:
        """Read them.

        Raises:
            ArtefactError: The file is damaged or its shapes contradict one another.
        """
        try:
            # Opened here: NumPy leaves a file that is no archive open.
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                vectors = cls(arrays["images"], arrays["logits"], float(arrays["tolerance"]))
        except Exception as error:  # a damaged zip or array raises nearly anything
            message = f"the self-test vectors {path} cannot be read"
            raise ArtefactError(message, "copy the bundle again, or build it again") from error
        if not vectors._consistent():
            message = f"the self-test vectors {path} contradict one another"
            raise ArtefactError(message, "build the bundle again")
        return vectors

    def _consistent(self) -> bool:
        return (
            (self.images.ndim, self.logits.ndim) == (4, 2)
            and len(self.images) == len(self.logits) > 0
            and self.images.dtype == np.uint8
        )


@dataclass(frozen=True)
class SelfTestReport:
    """Outcome of a self-test.

    Attributes:
        passed: Every logit lies within the tolerance.
        images: Number of vectors that were run.
        max_difference: Largest absolute difference of a logit; NaN where one was not finite.
        tolerance: The tolerance of the bundle.
        flips: Number of vectors whose top class changed.
    """

    passed: bool
    images: int
    max_difference: float
    tolerance: float
    flips: int


def run_selftest(session: Session, vectors: Vectors, *, limit: int | None = None) -> SelfTestReport:
    """Run (at most `limit` of) the vectors on an opened session.

    Raises:
        ArtefactError: The vectors are of another image size or number of classes.
    """
    found = (1, *vectors.images.shape[1:]), vectors.logits.shape[1]
    if found != (session.input_shape, session.classes):
        message = "the self-test vectors do not belong to the model file"
        raise ArtefactError(message, "copy the bundle again, or build it again")
    images, expected = vectors.images[:limit], vectors.logits[:limit]
    logits = np.concatenate([session.run(image[None]) for image in images])
    difference = float(np.abs(logits - expected).max())
    return SelfTestReport(
        passed=difference <= vectors.tolerance,  # False for NaN
        images=len(images),
        max_difference=difference,
        tolerance=vectors.tolerance,
        flips=int((logits.argmax(axis=1) != expected.argmax(axis=1)).sum()),
    )
