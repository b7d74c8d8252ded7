"""`edgekd build`: from a student to one bundle for each target, with the evidence inside."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edgekd.bundle import SELFTEST, LayerHarm, Manifest, Rung, write_bundle, zip_bundle
from edgekd.data import cache_folder
from edgekd.errors import GateFailedError
from edgekd.files import make_folder, scratch_folder
from edgekd.locks import only_writer
from edgekd.lower.backends import get_backend
from edgekd.lower.backends.base import reads_calibration
from edgekd.lower.candidate import Candidate, Lowering, selftest_vectors
from edgekd.lower.climb import Climb, climb_all, parallel_backends
from edgekd.lower.engine.evidence import lacks_evidence, leave_evidence
from edgekd.lower.evidence.card import write_card
from edgekd.lower.evidence.describe import Story, describe
from edgekd.lower.evidence.ladder import Step, chosen, with_remarks
from edgekd.lower.int8.calibration import CalibrationSet, draw_calibration
from edgekd.lower.int8.harm import layer_harm
from edgekd.lower.plan import BuildRequest, Plan, plans_of
from edgekd.lower.precision import LADDER, Variant
from edgekd.lower.source import Source, load_source
from edgekd.lower.store import Store
from edgekd.lower.watch import Watch

__all__ = ["BuildRequest", "BuiltBundle", "build", "build_all"]


@dataclass(frozen=True)
class BuiltBundle:
    """One bundle that was built, or one that its gate refused (`path` is then None).

    Attributes:
        target: Name of its target.
        name: Of the bundle.
        path: Where it is.
        manifest: What it says of itself; None where it was refused.
        rungs: Every precision that was tried.
        refused: Why there is none; empty for a bundle.
        fresh: Whether it was written now; else it was there already, made of the same things.
    """

    target: str
    name: str
    path: Path | None
    manifest: Manifest | None
    rungs: tuple[Rung, ...]
    refused: tuple[str, ...] = ()
    fresh: bool = True

    @property
    def passed(self) -> bool:
        """Whether there is a bundle."""
        return self.path is not None


def build(request: BuildRequest) -> list[BuiltBundle]:
    """Build every bundle that passes its gate; what is there already is left as it is.

    Raises:
        GateFailedError: No file of a bundle kept its limits; the others are built all the same.
        EdgekdError: See `build_all`.
    """
    built = build_all(request)
    _refuse_failed(built)
    return built


def build_all(request: BuildRequest) -> list[BuiltBundle]:
    """`build`, where a bundle that is refused is an answer too.

    Raises:
        InputError: The checkpoint or its images are not there, another process builds one of the
            bundles, or see `plans_of`.
        EdgekdError: A conversion failed.
    """
    source = load_source(request.model, request.data_root)
    calibration = _calibration(request, source)
    plans = plans_of(request, source, calibration)
    built = {plan.path: _kept(plan, request.watch) for plan in plans}
    todo = [plan for plan in plans if built[plan.path] is None]
    if not todo:
        return [bundle for bundle in built.values() if bundle is not None]
    make_folder(request.out)  # before anyone waits for what cannot be written
    with _alone(todo), scratch_folder(cache_folder() / "build") as work:
        lowering = Lowering(
            source, calibration, Store(), work, request.out / "logs", request.watch,
            threads=max(1, (os.cpu_count() or 1) // parallel_backends(todo)),
        )  # fmt: skip
        for climb in climb_all(request, lowering, todo):
            built[climb.plan.path] = _finish(request, lowering, climb)
    return [bundle for bundle in built.values() if bundle is not None]


def _calibration(request: BuildRequest, source: Source) -> CalibrationSet | None:
    wanted = [Variant(precision=name) for name in request.precisions or LADDER]
    backends = [get_backend(target.backend) for target in request.targets]
    if not any(reads_calibration(one, variant) for one in backends for variant in wanted):
        return None
    return draw_calibration(source.split, source.pixels, images=request.calibration_images)


@contextmanager
def _alone(plans: Sequence[Plan]) -> Iterator[None]:
    """Build bundles that no other process builds."""
    with ExitStack() as held:
        for plan in plans:
            held.enter_context(only_writer(plan.path, "built"))
        yield


def _kept(plan: Plan, watch: Watch) -> BuiltBundle | None:
    manifest = plan.current(watch.line)
    if manifest is None:
        return None
    if lacks_evidence(manifest, plan.path):
        watch.line(f"{plan.name}: the evidence beside it is missing or damaged; built again")
        return None
    rungs = manifest.lowering.rungs
    return BuiltBundle(plan.target.name, plan.name, plan.path, manifest, rungs, fresh=False)


def _finish(request: BuildRequest, lowering: Lowering, climb: Climb) -> BuiltBundle:
    """Take the first rung that passes, and write its bundle with every rung's numbers."""
    plan, steps = climb.plan, with_remarks(climb.steps)
    place = chosen(steps)
    rungs = tuple(
        msgspec.structs.replace(step.rung, taken=index == place) for index, step in enumerate(steps)
    )
    for before, rung in zip(climb.steps, rungs, strict=True):
        if rung != before.rung:  # taken, or there is something to say of it now
            request.watch.judged(plan.name, rung)
    if place is None:
        refused = tuple(climb.lacking) or _why(rungs[-1])
        return BuiltBundle(plan.target.name, plan.name, None, None, rungs, refused)
    step = steps[place]
    source = lowering.source
    story = Story(
        step.candidate, rungs, lowering.calibration, _harm_of(lowering, steps), step.rescued,
        plan.key,
    )  # fmt: skip
    manifest = describe(source, plan.target, story)
    manifest = leave_evidence(source, plan.target, manifest, plan.path)
    manifest = _write(request, source, step.candidate, manifest, plan.path)
    return BuiltBundle(plan.target.name, plan.name, plan.path, manifest, rungs)


def _harm_of(lowering: Lowering, steps: Sequence[Step]) -> tuple[LayerHarm, ...]:
    """The ranking, where it was needed."""
    return layer_harm(lowering) if any(step.rung.float_layers for step in steps) else ()


def _write(
    request: BuildRequest, source: Source, candidate: Candidate, manifest: Manifest, path: Path
) -> Manifest:
    """Write the bundle, whole; gives the manifest with its list of files."""
    with tempfile.TemporaryDirectory(prefix="edgekd-") as beside:
        vectors = Path(beside) / SELFTEST
        selftest_vectors(source, candidate).save(vectors)
        files = candidate.files() | {SELFTEST: vectors, "card.md": write_card(manifest).encode()}
        if not request.zipped:
            return write_bundle(path, manifest, files)
        folder = Path(beside) / "bundle"
        written = write_bundle(folder, manifest, files)
        zip_bundle(folder, path)
        return written


def _refuse_failed(built: Sequence[BuiltBundle]) -> None:
    failed = [bundle for bundle in built if not bundle.passed]
    if not failed:
        return
    names = ", ".join(bundle.name for bundle in failed)
    message = f"no file for {names} passed its gate; {'; '.join(failed[0].refused)}"
    hint = "take a safer --precision, more calibration or validation images, or another student"
    raise GateFailedError(message, hint)


def _why(rung: Rung) -> tuple[str, ...]:
    """What stood against the last rung of a ladder."""
    reasons = rung.gate.reasons if rung.gate else (rung.failure or "it could not be made",)
    return tuple(f"{rung.precision}: {reason}" for reason in reasons)
