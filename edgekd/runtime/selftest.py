"""The self-test: real images with the outputs at build time, run again on this machine.

It reveals a delegate or an emulated instruction that computes wrongly before patients are seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import SELFTEST
from edgekd.errors import ArtefactError

if TYPE_CHECKING:
    from edgekd.runtime.sessions.base import Session
    from edgekd.runtime.task import DeviceTask

__all__ = ["SelfTestReport", "Vectors", "compare_answers", "run_selftest"]

_MAX_BYTES = 256 << 20


@dataclass(frozen=True)
class Vectors:
    """Self-test vectors: `images` uint8 [N, S, S, 3], `logits` float32 [N, …], one tolerance.

    `logits` are the raw outputs of the network, whatever its task.
    """

    images: NDArray[np.uint8]
    logits: NDArray[np.float32]
    tolerance: float

    def save(self, path: Path | BinaryIO) -> None:
        """Write them as `selftest.npz`, uncompressed: a device reads them at every start."""
        np.savez(path, images=self.images, logits=self.logits, tolerance=np.float64(self.tolerance))

    @classmethod
    def read(cls, stream: BinaryIO, *, limit: int | None = None) -> Vectors:
        """The vectors of an opened `selftest.npz`, at most the first `limit` of them.

        Raises:
            ArtefactError: The file is damaged or its shapes contradict one another.
        """
        try:
            with ZipFile(stream) as archive:
                _refuse_bomb(archive.infolist())
                images, images_in_all = _first(archive, "images", limit)
                logits, logits_in_all = _first(archive, "logits", limit)
                tolerance, _ = _first(archive, "tolerance", None)
                vectors = cls(images, logits, float(tolerance))
        except Exception as error:  # a damaged zip or array raises many types
            message = f"the self-test vectors {SELFTEST} cannot be read"
            raise ArtefactError(message, "copy the bundle again, or build it again") from error
        if images_in_all != logits_in_all or not vectors._consistent():
            message = f"the self-test vectors {SELFTEST} contradict one another"
            raise ArtefactError(message, "build the bundle again")
        return vectors

    def _consistent(self) -> bool:
        return (
            self.images.ndim == 4
            and self.logits.ndim >= 2
            and len(self.images) == len(self.logits) > 0
            and self.images.dtype == np.uint8
            and self.logits.dtype == np.float32
        )


def _refuse_bomb(members: list[ZipInfo]) -> None:
    """Refuse an archive that unpacks to too many bytes (a zip bomb)."""
    if sum(member.file_size for member in members) > _MAX_BYTES:
        raise ValueError("too large")


def _first(archive: ZipFile, name: str, limit: int | None) -> tuple[NDArray[Any], int]:
    """The first `limit` rows of an array of an npz, and how many rows there are.

    `numpy.load` would read all of them: megabytes at every start, for two images.
    """
    with archive.open(f"{name}.npy") as stream:
        npy = np.lib.format
        if npy.read_magic(stream) != (1, 0):
            raise ValueError("another version of the npy format")
        shape, by_column, dtype = npy.read_array_header_1_0(stream)
        if by_column or dtype.hasobject:
            raise ValueError("an array that this edgekd does not write")
        rows = shape[0] if shape else 1
        taken = shape if limit is None or not shape else (min(limit, rows), *shape[1:])
        data = stream.read(math.prod(taken) * dtype.itemsize)
    return np.frombuffer(data, dtype).reshape(taken), rows


@dataclass(frozen=True)
class SelfTestReport:
    """Outcome of a self-test.

    Attributes:
        passed: Whether every output value lies within the tolerance.
        images: Number of vectors that were run.
        max_difference: Largest absolute difference of an output; NaN where one was not finite.
        tolerance: The tolerance of the bundle.
        flips: Number of vectors whose answer changed (the top class, where there is one).
    """

    passed: bool
    images: int
    max_difference: float
    tolerance: float
    flips: int

    def require_pass(self, bundle: str = "") -> None:
        """Raise where the self-test did not pass.

        Args:
            bundle: Name of the bundle, for the message.

        Raises:
            ArtefactError: An output differs by more than the tolerance.
        """
        if self.passed:
            return
        message = (
            f"the self-test{f' of {bundle}' if bundle else ''} fails on this machine: an output is "
            f"off by {self.max_difference:.3g}, more than {self.tolerance:.3g}"
        )
        raise ArtefactError(message, "do not use it here; report the machine and the engine")


def run_selftest(session: Session, vectors: Vectors, task: DeviceTask) -> SelfTestReport:
    """Run the vectors on an opened session.

    Raises:
        ArtefactError: The vectors are of another image size or shape of output.
    """
    shapes = (1, *vectors.images.shape[1:]), (1, *vectors.logits.shape[1:])
    if shapes != (session.input_shape, session.output_shape):
        message = "the self-test vectors do not belong to the model file"
        raise ArtefactError(message, "copy the bundle again, or build it again")
    outputs = np.concatenate([session.run(image[None]) for image in vectors.images])
    return compare_answers(vectors, outputs, task)


def compare_answers(
    vectors: Vectors, outputs: NDArray[np.float32], task: DeviceTask
) -> SelfTestReport:
    """The report on outputs [N, …] for the images of the vectors."""
    expected = vectors.logits
    difference = float(np.abs(outputs - expected).max())
    return SelfTestReport(
        passed=difference <= vectors.tolerance,  # False for NaN
        images=len(vectors.images),
        max_difference=difference,
        tolerance=vectors.tolerance,
        flips=int((~task.agree(expected, outputs)).sum()),
    )
