"""A lowered file before it is judged: its answers on the validation images, by its own runtime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import SELFTEST
from edgekd.errors import EdgekdError
from edgekd.lower.backends import Backend, get_backend
from edgekd.lower.calibration import CalibrationSet
from edgekd.lower.conversion import ConversionJob, convert
from edgekd.lower.source import Source
from edgekd.runtime.selftest import Vectors
from edgekd.runtime.sessions import open_session
from edgekd.runtime.sessions.base import Facts

__all__ = ["Candidate", "lower_backend"]

SELFTEST_IMAGES = 16
_RELATIVE_TOLERANCE = {"fp32": 0.002, "fp16": 0.02, "int8": 0.1}


@dataclass(frozen=True)
class Candidate:
    """One lowered file.

    Attributes:
        backend: Its backend.
        precision: Its precision.
        folder: Where its files are.
        logits: Its answers [N, K] on the validation images.
        facts: What ran it.
        findings: What a static check found.
        tools: Versions of what lowered it.
    """

    backend: Backend
    precision: str
    folder: Path
    logits: NDArray[np.float32]
    facts: Facts
    findings: tuple[str, ...]
    tools: dict[str, str]

    @property
    def size_bytes(self) -> int:
        """Bytes of its files."""
        return sum(file.stat().st_size for file in self.folder.iterdir())

    def files(self) -> dict[str, Path | bytes]:
        """Its files by their name in the bundle."""
        return {file.name: file for file in sorted(self.folder.iterdir())}


def lower_backend(
    source: Source,
    backend: str,
    precisions: tuple[str, ...],
    calibration: CalibrationSet | None,
    work: Path,
    log: Path,
    say: Callable[[str], None],
) -> list[Candidate]:
    """Lower the student for one backend and run every file on the validation images.

    Raises:
        EdgekdError: The conversion failed (its log and a script to repeat it are kept), or the
            backend's runtime is not installed.
    """
    images = None
    if calibration is not None:
        images = work / "calibration.npy"
        if not images.is_file():
            calibration.save(images)
    job = ConversionJob(
        backend=backend,
        precisions=precisions,
        checkpoint=str(source.checkpoint.folder),
        calibration=str(images) if images else None,
        out=str(work / backend),
    )
    say(f"{backend}: lowering to {', '.join(precisions)}")
    report = convert(job, log=log)
    tools = {done.precision: done.versions for done in report.conversions}
    return [
        _run(source, get_backend(backend), precision, work / backend / precision, tools[precision])
        for precision in precisions
    ]


def _run(
    source: Source, backend: Backend, precision: str, folder: Path, tools: dict[str, str]
) -> Candidate:
    file = folder / backend.model_file
    session = open_session(backend.host_session, file)
    try:
        logits = np.concatenate([session.run(image[None]) for image in source.images])
        facts = session.facts
    finally:
        session.close()
    return Candidate(backend, precision, folder, logits, facts, _static_check(file), tools)


def _static_check(file: Path) -> tuple[str, ...]:
    """What can be seen of an ONNX file without its device's engine."""
    if file.suffix != ".onnx":
        return ()
    from edgekd.lower.onnx_lint import check_onnx

    return tuple(check_onnx(file))


def selftest_vectors(source: Source, candidate: Candidate) -> Vectors:
    """Validation images, classes in turn, with this file's logits on this host.

    The tolerance is relative to the largest logit: other processors sum in another order, and
    int8 kernels may round a step otherwise.
    """
    order = np.argsort(_occurrence(source.targets), kind="stable")[:SELFTEST_IMAGES]
    logits = candidate.logits[order]
    if not np.isfinite(logits).all():
        raise EdgekdError(f"{SELFTEST} cannot be made: outputs are not finite")
    scale = max(1.0, float(np.abs(logits).max()))
    tolerance = _RELATIVE_TOLERANCE[candidate.precision] * scale
    return Vectors(source.images[order], logits, tolerance)


def _occurrence(targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each target's class occurred before it."""
    seen: dict[int, int] = {}
    counts = []
    for target in targets.tolist():
        counts.append(seen.get(target, 0))
        seen[target] = counts[-1] + 1
    return np.array(counts, dtype=np.int64)
