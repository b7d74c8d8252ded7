"""Lowered files before they are judged: made, kept, and run by their own runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import SELFTEST, EngineCheck
from edgekd.errors import GateFailedError, MissingDependencyError
from edgekd.files import atomic_write
from edgekd.lower.backends import Backend, get_backend
from edgekd.lower.backends.base import CheckedBackend, UnconvertibleError, reads_calibration
from edgekd.lower.int8.calibration import CalibrationSet
from edgekd.lower.jobs.conversion import ConversionJob, convert
from edgekd.lower.jobs.process import DISK_FULL, JobError
from edgekd.lower.jobs.trial import Answers, TrialJob, try_files
from edgekd.lower.precision import Variant
from edgekd.lower.source import Source
from edgekd.lower.store import Kept, Store
from edgekd.lower.watch import Watch
from edgekd.runtime.selftest import Vectors

__all__ = ["Candidate", "Lowering", "lower_variants", "selftest_vectors"]

SELFTEST_IMAGES = 16
_RELATIVE_TOLERANCE = {"fp32": 0.002, "fp16": 0.02, "int8-weights": 0.02}
_INT8_TOLERANCE = 0.1
_PARTITIONS = "xnnpack_partitions"
TRIAL_THREADS = 1  # whatever the machine, so that times of rungs compare


@dataclass(frozen=True)
class Candidate:
    """One lowered file, or why there is none.

    Attributes:
        backend: Its backend.
        variant: What it was lowered to.
        key: Of the store.
        made: Its files; None where it could not be lowered.
        answers: To the validation images; None where it could not be run.
        failure: Why one of these is None.
        error: Of the job that failed; None where it was refused or all is well.
        check: What the device's engine will make of it; None where this host has that engine.
    """

    backend: Backend
    variant: Variant
    key: str
    made: Kept | None = None
    answers: Answers | None = None
    failure: str | None = None
    error: JobError | None = None
    check: EngineCheck | None = None

    def failed(self, error: JobError | None) -> Candidate:
        """It with the error of its job, if there is one."""
        if error is None:
            return self
        return replace(self, error=error, failure=f"{error.message}; {error.hint}")

    @property
    def size_bytes(self) -> int:
        """Bytes of its files."""
        return sum(file.stat().st_size for file in self._paths())

    @property
    def latency_ms(self) -> float | None:
        """Median on this host; None where the device's engine is another one."""
        if self.answers is None or self.backend.completion != "complete":
            return None
        return self.answers.latency_ms

    @property
    def partitions(self) -> int | None:
        """Pieces that the engine's delegate took it in, where it says so; 1 is best."""
        found = self.answers.facts.get(_PARTITIONS) if self.answers else None
        return found if isinstance(found, int) else None

    def files(self) -> dict[str, Path | bytes]:
        """Its files by their name in the bundle."""
        return {file.name: file for file in self._paths()}

    def _paths(self) -> list[Path]:
        return sorted(self.made.folder.iterdir()) if self.made else []


@dataclass(frozen=True)
class Lowering:
    """What all files of one build share.

    Attributes:
        source: The student and the validation images.
        calibration: Training images for int8, or None.
        store: What was made before.
        work: A folder that goes with the build.
        logs: Folder of the converters' logs.
        watch: Who looks on.
        threads: Of each converter.
    """

    source: Source
    calibration: CalibrationSet | None
    store: Store
    work: Path
    logs: Path
    watch: Watch
    threads: int = 1

    def key(self, backend: str, variant: Variant) -> str:
        """Key of a file in the store."""
        images = self.calibration.sha256 if self.calibration else None
        scanned = reads_calibration(get_backend(backend), variant)
        return self.store.key(self.source.card, backend, variant, images, scanned=scanned)


def lower_variants(
    lowering: Lowering, backend: str, variants: Sequence[Variant]
) -> list[Candidate]:
    """Lower the student for one backend to each variant, and run every file.

    What the store has is neither made, checked nor run again. A variant that fails does not stop
    the others: it becomes a candidate without a file, or with one that was not run because the
    device's engine cannot be built from it.

    Raises:
        InputError: There is no such backend.
        JobError: A tool is not installed, or the disk is full: no variant is spared that.
    """
    known = get_backend(backend)
    found = {
        variant.label: Candidate(known, variant, lowering.key(backend, variant))
        for variant in variants
    }
    errors = _make(lowering, found)
    for label, one in found.items():
        made = replace(one, made=lowering.store.find(one.key)).failed(errors.get(label))
        found[label] = _checked(lowering, made)
    _say_unchecked(lowering, found.values())
    good = {label: one for label, one in found.items() if one.failure is None}
    errors = _run(lowering, good)
    for label, one in good.items():
        found[label] = replace(one, answers=_answers(lowering, one)).failed(errors.get(label))
    return list(found.values())


# ---- making ----


def _make(lowering: Lowering, candidates: Mapping[str, Candidate]) -> dict[str, JobError]:
    """Lower what the store lacks; gives what went wrong, by label."""
    missing = [label for label, one in candidates.items() if lowering.store.find(one.key) is None]
    for label in missing:
        lowering.watch.state(candidates[label].backend.name, label, "waiting")

    def convert_some(labels: Sequence[str]) -> None:
        _convert(lowering, [candidates[label] for label in labels])

    return _together_or_alone(convert_some, missing)


def _convert(lowering: Lowering, candidates: Sequence[Candidate]) -> None:
    backend = candidates[0].backend.name
    name = "+".join(one.variant.label for one in candidates)
    out = lowering.work / backend / name
    job = ConversionJob(
        backend=backend,
        variants=tuple(one.variant for one in candidates),
        checkpoint=str(lowering.source.folder),
        calibration=_calibration_file(lowering),
        out=str(out),
        threads=lowering.threads,
    )
    report = convert(
        job,
        log=lowering.logs / backend / f"lower-{name}.log",
        watch=lambda label: lowering.watch.state(backend, label, "lowering"),
    )
    for one, done in zip(candidates, report.conversions, strict=True):
        lowering.store.keep(one.key, out / done.variant.label, done.versions)


def _calibration_file(lowering: Lowering) -> str | None:
    calibration = lowering.calibration
    if calibration is None:
        return None
    file = lowering.work / f"{calibration.sha256[:16]}.npy"
    return _saved(file, lambda: calibration.images)


# ---- checking ----


def _checked(lowering: Lowering, one: Candidate) -> Candidate:
    """The candidate with what the check says, where its backend has one; refused, it failed."""
    backend = one.backend
    if one.made is None or not isinstance(backend, CheckedBackend):
        return one
    check = lowering.store.find_check(one.key, backend.checkers())
    if check is None:
        lowering.watch.state(backend.name, one.variant.label, "checking")
        log = lowering.logs / backend.name / f"check-{one.variant.label}.log"
        check = backend.check(one.made.folder / backend.model_file, log)
        if check.capabilities:  # else a tool is missing or went down, which may change
            lowering.store.keep_check(one.key, backend.checkers(), check)
    if check.status != "refused":
        return replace(one, check=check)
    lowering.watch.state(backend.name, one.variant.label, "refused")
    return replace(one, check=check, failure=f"{check.summary}: {'; '.join(check.findings)}")


def _say_unchecked(lowering: Lowering, candidates: Iterable[Candidate]) -> None:
    """Once for all: a bundle is built all the same, and nobody shall think it was checked."""
    for one in candidates:
        if one.check is not None and one.check.status == "not checked":
            lowering.watch.line(f"{one.backend.name}: {one.check.summary}")
            return


# ---- running ----


def _answers(lowering: Lowering, one: Candidate) -> Answers | None:
    images = lowering.source.images_sha256
    return lowering.store.find_answers(one.key, images, TRIAL_THREADS) if one.made else None


def _run(lowering: Lowering, candidates: Mapping[str, Candidate]) -> dict[str, JobError]:
    """Run what was not run yet; gives what went wrong, by label."""

    def try_some(labels: Sequence[str]) -> None:
        _try(lowering, [candidates[label] for label in labels])

    return _together_or_alone(
        try_some,
        [
            label
            for label, one in candidates.items()
            if one.made and _answers(lowering, one) is None
        ],
    )


def _try(lowering: Lowering, candidates: Sequence[Candidate]) -> None:
    backend = candidates[0].backend
    files = {one.variant.label: _model_file(one) for one in candidates}

    def watch(text: str) -> None:
        label, _, progress = text.partition(" ")
        lowering.watch.state(backend.name, label, f"running {progress}")

    job = TrialJob(
        session=backend.host_session,
        files=files,
        images=_saved(lowering.work / "validation.npy", lambda: lowering.source.images),
        out=str(lowering.work / f"{backend.name}-answers"),
        threads=TRIAL_THREADS,
    )
    log = lowering.logs / backend.name / f"run-{'+'.join(files)}.log"
    found = try_files(job, log=log, watch=watch)
    for one in candidates:
        label, images = one.variant.label, lowering.source.images_sha256
        lowering.store.keep_answers(one.key, images, TRIAL_THREADS, found[label])
        lowering.watch.state(backend.name, label, "ran")


def _model_file(candidate: Candidate) -> str:
    assert candidate.made is not None
    return str(candidate.made.folder / candidate.backend.model_file)


def _saved(file: Path, images: Callable[[], NDArray[np.uint8]]) -> str:
    if not file.is_file():  # two backends may both be the first to need it
        with atomic_write(file) as beside, beside.open("wb") as stream:
            np.save(stream, images())
    return str(file)


def _together_or_alone(
    work: Callable[[Sequence[str]], None], labels: Sequence[str]
) -> dict[str, JobError]:
    """Do all in one process, and one by one where that fails, so that one stops no other.

    A network that cannot be converted at all fails for all labels at once.

    Returns:
        What went wrong, by label.

    Raises:
        JobError: A tool is missing or the disk is full, which would stop every one.
    """
    if not labels:
        return {}
    try:
        work(labels)
    except JobError as error:
        if error.exit_code == MissingDependencyError.exit_code or error.kind == DISK_FULL:
            raise
        if len(labels) == 1 or error.kind == UnconvertibleError.__name__:
            return dict.fromkeys(labels, error)
    else:
        return {}
    errors: dict[str, JobError] = {}
    for label in labels:
        errors |= _together_or_alone(work, [label])
    return errors


# ---- the self-test ----


def selftest_vectors(source: Source, candidate: Candidate) -> Vectors:
    """Validation images, classes in turn, with this file's logits on this host.

    The tolerance is relative to the largest logit: other processors sum in another order, and
    int8 kernels may round a step otherwise.

    Raises:
        GateFailedError: Outputs are not finite.
    """
    assert candidate.answers is not None
    order = np.argsort(_occurrence(source.targets), kind="stable")[:SELFTEST_IMAGES]
    logits = candidate.answers.logits[order]
    if not np.isfinite(logits).all():
        message = f"{SELFTEST} cannot be made: outputs are not finite"
        raise GateFailedError(message, "take a safer --precision, or another student")
    scale = max(1.0, float(np.abs(logits).max()))
    relative = _RELATIVE_TOLERANCE.get(candidate.variant.precision, _INT8_TOLERANCE)
    return Vectors(source.images[order], logits, relative * scale)


def _occurrence(targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each target's class occurred before it."""
    seen: dict[int, int] = {}
    counts = []
    for target in targets.tolist():
        counts.append(seen.get(target, 0))
        seen[target] = counts[-1] + 1
    return np.array(counts, dtype=np.int64)
