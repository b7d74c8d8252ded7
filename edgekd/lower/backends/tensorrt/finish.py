"""Finishing a bundle on its device: the engine is built, tested and judged there.

The bundle on disk is always whole: the old one, until the finished one replaces it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import msgspec
import numpy as np

from edgekd.bundle import (
    MANIFEST,
    SELFTEST,
    Bundle,
    EngineRecord,
    GateRecord,
    Manifest,
    write_bundle,
)
from edgekd.errors import ArtefactError, EdgekdError, GateFailedError, InputError
from edgekd.extensions.engines.tensorrt import BACKEND
from edgekd.files import scratch_folder
from edgekd.lower.backends.tensorrt.job import (
    ENGINE,
    PROGRAM,
    EngineJob,
    EngineResult,
    Library,
    run_engine_job,
)
from edgekd.lower.backends.tensorrt.library import load_tensorrt, load_torch_tensorrt
from edgekd.lower.backends.tensorrt.memory import read_memory, swap_hint
from edgekd.lower.evidence.capture import retaken
from edgekd.lower.evidence.card import write_card
from edgekd.lower.evidence.device_gate import IMAGES, Evidence, evidence_beside, read_evidence
from edgekd.lower.jobs.process import JobError
from edgekd.lower.jobs.trial import Answers, TrialJob, try_files
from edgekd.lower.task import evidence_task
from edgekd.runtime.selftest import SelfTestReport, Vectors, compare_answers
from edgekd.runtime.sessions.tensorrt.sidecar import belongs_to, read_sidecar, sidecar_name
from edgekd.runtime.task import DeviceTask, device_task

__all__ = ["Toolchain", "finish_on_device"]

ONNX = "model.onnx"
CARD = "card.md"
_LABEL = "engine"
_TORCH = "torch-tensorrt"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Toolchain:
    """The libraries that build the engine and run it.

    Attributes:
        library: `tensorrt`; `tensorrt-rtx` builds for `capabilities`, on a machine without a GPU.
        capabilities: Such as `SM86`.
        session: Name of the session backend that runs the engine.
        via: What gives TensorRT the network: its parser of `onnx`, or `torch-tensorrt`; None is
            the parser where nothing is built yet, and what the engine that is there was built via.
    """

    library: Library = "tensorrt"
    capabilities: tuple[str, ...] = ()
    session: str = "tensorrt"
    via: str | None = None


@dataclass(frozen=True)
class _Bench:
    """The folders of a build, and the tools that it uses."""

    bundle: Path
    work: Path
    toolchain: Toolchain
    say: Say

    def log(self, name: str) -> Path:
        """A log that is kept after the build."""
        return self.bundle.with_name("logs") / self.bundle.name / f"{name}.log"


@dataclass(frozen=True)
class _Tried:
    """Outputs of the engine for the self-test vectors and for the evidence."""

    selftest: SelfTestReport
    answers: Answers
    gate: GateRecord


def finish_on_device(
    path: Path,
    say: Say = lambda line: None,
    *,
    evidence: Path | None = None,
    toolchain: Toolchain | None = None,
) -> Path:
    """Build the engine of a bundle that was lowered for TensorRT, and put it into the bundle.

    The engine itself runs the self-test vectors and the host's validation images; only if it
    agrees with the host and keeps every limit of the gate, the bundle is marked complete. Its
    decision is fitted again, to the engine's outputs. A bundle that is complete for another machine
    is built again for this one.

    Args:
        path: The bundle's folder.
        say: Called with each step's description.
        evidence: The file that the host wrote beside the bundle; None looks for it there.
        toolchain: Libraries that build and run the engine; None is TensorRT.

    Returns:
        The manifest's path.

    Raises:
        InputError: The bundle is complete already for this machine, is a file rather than a folder,
            is of another backend, has no program for torch-tensorrt, or the disk is full.
        MissingDependencyError: TensorRT or torch-tensorrt is not installed here.
        GateFailedError: There is no evidence, the engine's answers are not the student's, or it
            does not reach a floor of the policy.
        ArtefactError: The bundle or the evidence is damaged, or they do not belong together.
        JobError: The build failed, or was killed for lack of memory; with the cause's exit code.
    """
    if path.is_file():
        raise InputError(f"{path} is a packed bundle", "unzip it into a folder first")
    toolchain = toolchain or Toolchain()
    path = path.resolve()  # a link to a folder stays a link
    with Bundle.open(path) as bundle:
        _refuse_foreign(bundle, toolchain)
        try:
            with scratch_folder(path) as work:
                _finish(bundle, _Bench(path, work, toolchain, say), evidence)
        except OSError as error:
            _require(toolchain)  # more room would not help without TensorRT
            message = f"the bundle {path} cannot be finished: {error.strerror or error}"
            hint = "make room on that disk, or make it writable; the bundle is as it was"
            raise InputError(message, hint) from error
        if bundle.signature != "none":
            say("the signature went with the old manifest; sign the bundle again")
    return path / MANIFEST


def _refuse_foreign(bundle: Bundle, toolchain: Toolchain) -> None:
    backend = bundle.manifest.lowering.backend
    if backend != BACKEND.name:
        message = f"the bundle {bundle.label} is of {backend}; nothing of it is built on a device"
        raise InputError(message, "use it as it is")
    if ONNX not in bundle.manifest.files:
        message = f"the bundle {bundle.label} has no {ONNX} to build an engine from"
        raise ArtefactError(message, "build it again on the host")
    if toolchain.via == _TORCH and PROGRAM not in bundle.manifest.files:
        message = f"the bundle {bundle.label} has no {PROGRAM} for {_TORCH} to build from"
        hint = f"build it on the host with --via {_TORCH}, or leave --via out here"
        raise InputError(message, hint)


def _finish(bundle: Bundle, bench: _Bench, file: Path | None) -> None:
    manifest = bundle.manifest
    if manifest.lowering.completion == "complete":
        _require(bench.toolchain)
        _refuse_complete(bundle, bench)
    sha256 = manifest.lowering.evidence_sha256
    evidence = read_evidence(file or evidence_beside(bench.bundle), sha256, bench.work)
    _require(bench.toolchain)
    result = _build(bench, tf32=not evidence.terms.exact)
    with bundle.stream(SELFTEST) as stream:
        tried = _try_engine(bench, Vectors.read(stream), evidence, device_task(manifest.task))
    bench.say(f"the engine passed its gate on {tried.gate.images} images")
    try:
        finished = _completed(manifest, result, tried, evidence, bench.toolchain.via)
    except GateFailedError as error:
        raise _refused(f"the engine is refused: {error.message}") from error
    _write(bench, finished)


def _require(toolchain: Toolchain) -> None:
    """Raise where a library is not installed, before a process is started for it."""
    if toolchain.via == _TORCH and find_spec("torch_tensorrt") is None:
        load_torch_tensorrt()  # raises
    if toolchain.library == "tensorrt" and find_spec("tensorrt") is None:
        load_tensorrt()  # raises


# ---- building ----


def _job(bench: _Bench, onnx: Path | None = None, *, tf32: bool = True) -> EngineJob:
    by_torch = onnx is not None and bench.toolchain.via == _TORCH
    return EngineJob(
        out=str(bench.work / "built"),
        onnx=None if onnx is None else str(onnx),
        program=str(bench.bundle / PROGRAM) if by_torch else None,
        library=bench.toolchain.library,
        capabilities=bench.toolchain.capabilities,
        tf32=tf32,
        timings=str(bench.bundle),
    )


def _refuse_complete(bundle: Bundle, bench: _Bench) -> None:
    """Raise where the engine that is there belongs to this machine."""
    here = run_engine_job(_job(bench), log=bench.log("environment")).environment
    try:
        built_for = read_sidecar(bundle.model)
    except ArtefactError as error:
        bench.say(f"{error.message}; it is built again")
        return
    if not belongs_to(built_for, here):
        bench.say(f"the engine that is there was built for {built_for.environment}")
    elif bench.toolchain.via in (None, built_for.via):
        message = f"the bundle {bundle.label} is complete already for {here}"
        raise InputError(message, "use it as it is")
    else:
        bench.say(f"the engine that is there was built via {built_for.via}")


def _build(bench: _Bench, *, tf32: bool) -> EngineResult:
    how = f" via {bench.toolchain.via}" if bench.toolchain.via else ""
    bench.say(f"building the engine of {bench.bundle}{how}; this takes minutes on a small device")
    job = _job(bench, bench.bundle / ONNX, tf32=tf32)
    try:
        return run_engine_job(job, log=bench.log("build"), report=bench.say)
    except JobError as error:
        if not error.killed:
            raise
        hint = f"{swap_hint(read_memory())}; the bundle is as it was"
        raise JobError(error.message, hint, killed=True) from error


# ---- judging ----


def _try_engine(bench: _Bench, vectors: Vectors, evidence: Evidence, task: DeviceTask) -> _Tried:
    images = bench.work / "selftest.npy"
    np.save(images, vectors.images)
    selftest = compare_answers(vectors, _ask(bench, "selftest", images).outputs, task)
    if not selftest.passed:
        message = (
            f"the engine's logits differ from the host's by {selftest.max_difference:.3g}, more "
            f"than {selftest.tolerance:.3g}"
        )
        raise _refused(message)
    answers = _ask(bench, "gate", bench.work / IMAGES)
    gate = evidence.judge(answers.outputs, answers.facts)
    if not gate.passed:
        raise _refused(f"the engine does not pass its gate: {'; '.join(gate.reasons)}")
    return _Tried(selftest, answers, gate)


def _refused(message: str) -> EdgekdError:
    hint = "the bundle is as it was; build one of a safer --precision on the host"
    return GateFailedError(message, hint)


def _ask(bench: _Bench, name: str, images: Path) -> Answers:
    """Outputs of the engine by the runtime that apps use, run in a process of its own."""
    job = TrialJob(
        session=bench.toolchain.session,
        files={_LABEL: str(bench.work / "built" / ENGINE)},
        images=str(images),
        out=str(bench.work / name),
    )

    def report(state: str) -> None:
        bench.say(f"{name}: image {state.removeprefix(_LABEL).strip()}")

    return try_files(job, log=bench.log(name), report=report)[_LABEL]


# ---- writing ----


def _completed(
    manifest: Manifest, result: EngineResult, tried: _Tried, evidence: Evidence, via: str | None
) -> Manifest:
    """The manifest of the finished bundle, with decision, metrics and floors of the engine itself.

    Raises:
        GateFailedError: No decision meets the requirements, or a floor is not met.
    """
    outputs, requirements = tried.answers.outputs, evidence.requirements
    task = evidence_task(requirements.task)
    fit = task.fit_decision(requirements, outputs)
    taken_again = retaken(evidence.images, manifest.capture)
    policy = manifest.policy
    if policy is not None:  # else a bundle of a format before 1.6, which demands nothing more
        policy = evidence.check_policy(policy, fit.decision, outputs, taken_again)
    lowering = msgspec.structs.replace(
        manifest.lowering,
        completion="complete",
        completion_command=None,
        tools=manifest.lowering.tools | result.versions,
        engine=EngineRecord(
            built_for=msgspec.structs.asdict(result.environment),
            seconds=result.seconds,
            size_bytes=result.size_bytes,
            latency_ms=tried.answers.latency_ms,
            selftest_difference=tried.selftest.max_difference,
            gate=tried.gate,
            via=via or "onnx-parser",
        ),
    )
    return msgspec.structs.replace(
        manifest,
        decision=fit.decision,
        metrics=manifest.metrics | task.metrics_with(fit, requirements, outputs, taken_again),
        lowering=lowering,
        policy=policy,
        model_file=ENGINE,
    )


def _write(bench: _Bench, manifest: Manifest) -> None:
    built = bench.work / "built"
    files: dict[str, Path | bytes] = {name: bench.bundle / name for name in manifest.files}
    files |= {name: built / name for name in (ENGINE, sidecar_name(ENGINE))}
    files[CARD] = write_card(manifest).encode()
    write_bundle(bench.bundle, manifest, files)
