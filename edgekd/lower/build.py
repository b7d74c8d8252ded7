"""`edgekd build`: from a student to one bundle for each target, with the evidence inside."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekd.bundle import SELFTEST, Manifest, Rung, write_bundle, zip_bundle
from edgekd.errors import GateFailedError, InputError
from edgekd.lower.backends import get_backend
from edgekd.lower.calibration import CalibrationSet, draw_calibration
from edgekd.lower.candidate import Candidate, lower_backend, selftest_vectors
from edgekd.lower.card import write_card
from edgekd.lower.describe import describe
from edgekd.lower.gate import judge
from edgekd.lower.source import Source, load_source
from edgekd.targets import Target

__all__ = ["LADDER", "BuildRequest", "BuiltBundle", "build"]

LADDER = ("int8", "fp32")
"""Precisions that `auto` tries, in this order; the first that passes its gate is taken."""


@dataclass(frozen=True)
class BuildRequest:
    """What to build.

    Attributes:
        model: The student's checkpoint, or the folder of its run.
        targets: For which devices.
        out: Folder of the bundles.
        precisions: One bundle for each, or None for `auto`: one bundle for each target.
        data_root: Where the images of the checkpoint are now, if not where they were.
        calibration_images: Number of calibration images.
        zipped: Write `.edgekd` files instead of folders.
        say: Takes one line of progress.
    """

    model: Path
    targets: Sequence[Target]
    out: Path
    precisions: tuple[str, ...] | None = None
    data_root: Path | None = None
    calibration_images: int = 512
    zipped: bool = False
    say: Callable[[str], None] = lambda line: None


@dataclass(frozen=True)
class BuiltBundle:
    """One bundle that was built, or one that its gate refused (`path` is then None)."""

    target: str
    path: Path | None
    rungs: tuple[Rung, ...]
    size_bytes: int

    @property
    def passed(self) -> bool:
        """Whether there is a bundle."""
        return self.path is not None


def build(request: BuildRequest) -> list[BuiltBundle]:
    """Build every bundle that passes its gate.

    Raises:
        GateFailedError: A file lost more than its target allows; the others are built all the
            same, and nothing of the refused one is left.
        InputError: The checkpoint or its images are not there.
        EdgekdError: A conversion failed.
    """
    _refuse_impossible(request)
    source = load_source(request.model, request.data_root)
    tried = request.precisions or LADDER
    calibration = None
    if "int8" in tried:
        size = source.checkpoint.card.image_size
        calibration = draw_calibration(source.split, size, images=request.calibration_images)
    built: list[BuiltBundle] = []
    with tempfile.TemporaryDirectory(prefix="edgekd-build-") as work:
        candidates = _lower_all(request, source, tried, calibration, Path(work))
        for target in request.targets:
            built += _build_target(request, source, target, candidates[target.backend], calibration)
    _refuse_failed(built)
    return built


def _refuse_impossible(request: BuildRequest) -> None:
    """A precision that was asked for by name is built or refused, never left out in silence."""
    for target in request.targets:
        possible = [name for name in get_backend(target.backend).precisions if name in target.gate]
        wanted = request.precisions or [name for name in LADDER if name in possible][:1] or LADDER
        for precision in wanted:
            if precision not in possible:
                message = f"there is no {precision} for {target.name}"
                raise InputError(message, f"--precision is auto, or of: {', '.join(possible)}")


def _lower_all(
    request: BuildRequest,
    source: Source,
    tried: tuple[str, ...],
    calibration: CalibrationSet | None,
    work: Path,
) -> dict[str, list[Candidate]]:
    """Each backend lowers once, however many targets share it."""
    candidates = {}
    for backend in dict.fromkeys(target.backend for target in request.targets):
        possible = get_backend(backend).precisions
        wanted = tuple(precision for precision in tried if precision in possible)
        log = request.out / "logs" / backend / "lower.log"
        candidates[backend] = lower_backend(
            source, backend, wanted, calibration, work, log, request.say
        )
    return candidates


def _build_target(
    request: BuildRequest,
    source: Source,
    target: Target,
    candidates: list[Candidate],
    calibration: CalibrationSet | None,
) -> list[BuiltBundle]:
    candidates = [one for one in candidates if one.precision in target.gate]
    ladders = [candidates] if request.precisions is None else [[one] for one in candidates]
    built = []
    for ladder in ladders:
        suffix = "" if request.precisions is None else f"-{ladder[0].precision}"
        path = request.out / f"{target.name}{suffix}"
        built.append(_climb(request, source, target, ladder, calibration, path))
    return built


def _climb(
    request: BuildRequest,
    source: Source,
    target: Target,
    ladder: list[Candidate],
    calibration: CalibrationSet | None,
    path: Path,
) -> BuiltBundle:
    """Take the first rung that passes, and write its bundle with every rung's numbers."""
    rungs: list[Rung] = []
    for candidate in ladder:
        limits = target.gate[candidate.precision]
        gate = judge(
            source.logits, candidate.logits, source.targets, limits,
            runtime=candidate.facts, findings=candidate.findings,
        )  # fmt: skip
        rungs.append(Rung(
            precision=candidate.precision, taken=gate.passed, size_bytes=candidate.size_bytes,
            gate=gate,
        ))  # fmt: skip
        request.say(_line(path.name, rungs[-1]))
        if gate.passed:
            manifest = describe(source, target, candidate, tuple(rungs), calibration)
            written = _write(request, source, candidate, manifest, path)
            return BuiltBundle(target.name, written, tuple(rungs), candidate.size_bytes)
    return BuiltBundle(target.name, None, tuple(rungs), 0)


def _line(name: str, rung: Rung) -> str:
    gate = rung.gate
    verdict = "passed" if gate.passed else f"refused: {'; '.join(gate.reasons)}"
    return (
        f"{name}: {rung.precision}, {rung.size_bytes / 1e6:.2f} MB, "
        f"balanced accuracy {gate.balanced_accuracy:.3f} ({-gate.balanced_accuracy_drop:+.3f}), "
        f"flips {gate.flips:.1%}, largest logit difference {gate.max_logit_difference:.3g}: "
        f"{verdict}"
    )


def _refuse_failed(built: list[BuiltBundle]) -> None:
    failed = [bundle for bundle in built if not bundle.passed]
    if not failed:
        return
    rung = failed[0].rungs[-1]
    message = (
        f"the {rung.precision} file for {failed[0].target} did not pass its gate: "
        f"{'; '.join(rung.gate.reasons)}"
    )
    hint = "take a safer --precision, more calibration images, or another student"
    raise GateFailedError(message, hint)


def _write(
    request: BuildRequest, source: Source, candidate: Candidate, manifest: Manifest, path: Path
) -> Path:
    with tempfile.TemporaryDirectory(prefix="edgekd-") as beside:
        vectors = Path(beside) / SELFTEST
        selftest_vectors(source, candidate).save(vectors)
        files = candidate.files() | {SELFTEST: vectors, "card.md": write_card(manifest).encode()}
        if not request.zipped:
            write_bundle(path, manifest, files)
            return path
        folder = Path(beside) / "bundle"
        write_bundle(folder, manifest, files)
        zipped = path.with_name(f"{path.name}.edgekd")
        zip_bundle(folder, zipped)
        return zipped
