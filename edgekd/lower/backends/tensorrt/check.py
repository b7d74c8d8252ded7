"""The TensorRT check: whether the device will be able to build its engine from an ONNX file.

TensorRT-RTX has TensorRT's parser and builder and needs no GPU. A file that it accepts was parsed,
typed, fused and built for several compute capabilities; a Jetson would refuse what it refuses. The
check tells nothing about speed, and its engines run on no Jetson.
"""

from __future__ import annotations

import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import msgspec

from edgekd.bundle import EngineCheck
from edgekd.errors import ArtefactError, EdgekdError, InputError, MissingDependencyError
from edgekd.files import pretty_json, write_atomically
from edgekd.lower.backends._onnx_half import islands_of
from edgekd.lower.backends.tensorrt.builder import EngineBuildError, build_engine
from edgekd.lower.backends.tensorrt.findings import findings_of, merged
from edgekd.lower.backends.tensorrt.library import load_tensorrt_rtx
from edgekd.lower.backends.tensorrt.lint import check_onnx
from edgekd.lower.jobs.process import JobError, run_in_process, serve

__all__ = ["CAPABILITIES", "CheckJob", "check_engine", "checker_versions"]

CAPABILITIES = ("SM86", "SM89")
"""Compute capabilities of every TensorRT-RTX: Ampere, to which Orin (SM87) belongs, and Ada."""

JETSONS = ("SM87", "SM101", "SM110")
"""Orin and Thor (under two names), which are added where TensorRT-RTX supports them."""

LINT = "edgekd's static rules"

_SHOWN = 5  # float32 islands that a note names

_MODULE = "edgekd.lower.backends.tensorrt.check"  # this one; __name__ is __main__ in the job
_WHEELS = ("onnxruntime-ep-nv-tensorrt-rtx-cu13", "tensorrt-rtx-cu13-bindings")


class CheckJob(msgspec.Struct, frozen=True, kw_only=True):
    """A file to check.

    Attributes:
        onnx: The file.
        capabilities: Compute capabilities to build it for.
        result: File (JSON) that gets the `EngineCheck`.
    """

    onnx: str
    capabilities: tuple[str, ...]
    result: str


def check_engine(
    onnx: Path, capabilities: Sequence[str] = CAPABILITIES, *, log: Path | None = None
) -> EngineCheck:
    """Check a file against the static rules, then build it by TensorRT-RTX for each capability.

    It is built in another process, so that a crash of the library only refuses the file.

    Args:
        onnx: The file; a damaged or missing one is a finding.
        capabilities: Such as `SM86`; those of `JETSONS` are added where TensorRT-RTX supports them.
        log: File for the library's messages; None drops them.

    Returns:
        `passed`, `refused` with a finding for each node at fault, or `not checked` where
        TensorRT-RTX is not installed, since the static rules alone are not enough.

    Raises:
        InputError: TensorRT-RTX does not support a capability.
    """
    with tempfile.TemporaryDirectory(prefix="edgekd-") as folder:
        result = Path(folder) / "check.json"
        job = CheckJob(onnx=str(onnx), capabilities=tuple(capabilities), result=str(result))
        try:
            raw = run_in_process(
                _MODULE, job, title="TensorRT-RTX", log=log or Path(folder) / "log", result=result
            )
        except JobError as error:
            return _crashed(onnx, error)
    return msgspec.json.decode(raw, type=EngineCheck)


def checker_versions() -> dict[str, str]:
    """Versions of TensorRT-RTX's wheels, by distribution; empty without them."""
    versions = {}
    for name in _WHEELS:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def run_job(job: CheckJob) -> None:
    """Check the file of the job, and write the result."""
    check = _check(Path(job.onnx), job.capabilities)
    write_atomically(Path(job.result), pretty_json(check))


def _check(onnx: Path, capabilities: Sequence[str]) -> EngineCheck:
    lint = _linted(onnx)
    built = _built(onnx, capabilities)
    if built.status == "refused":
        return msgspec.structs.replace(built, findings=merged(lint, built.findings))
    if lint:
        return EngineCheck(
            status="refused", by=LINT, capabilities=built.capabilities, findings=tuple(lint)
        )
    return msgspec.structs.replace(built, findings=tuple(_float32_islands(onnx)))


def _float32_islands(onnx: Path) -> Iterator[str]:
    islands = islands_of(onnx)
    if islands:
        names = ", ".join(map(repr, islands[:_SHOWN])) + (", …" if len(islands) > _SHOWN else "")
        yield f"float32 where fp16 would overflow or vanish: {names}"


def _linted(onnx: Path) -> list[str]:
    try:
        return check_onnx(onnx)
    except MissingDependencyError:
        raise
    except EdgekdError as error:
        return [error.message]


def _built(onnx: Path, capabilities: Sequence[str]) -> EngineCheck:
    """The result of TensorRT-RTX alone."""
    try:
        trt = load_tensorrt_rtx()
    except MissingDependencyError as error:
        return EngineCheck(status="not checked", by=f"{error.message}; {_where_to_get(error.hint)}")
    except (OSError, StopIteration) as error:
        why = str(error) or "its libraries are missing"
        return EngineCheck(status="not checked", by=f"TensorRT-RTX cannot be loaded here: {why}")
    by = f"TensorRT-RTX {trt.__version__}"
    known = trt.ComputeCapability.__members__
    targets = tuple(dict.fromkeys([*capabilities, *(name for name in JETSONS if name in known)]))
    try:
        with tempfile.TemporaryDirectory(prefix="edgekd-") as folder:
            build_engine(onnx, Path(folder) / "engine", trt=trt, compute_capabilities=targets)
    except (ArtefactError, EngineBuildError) as error:
        findings = findings_of(error.message)
        return EngineCheck(status="refused", by=by, capabilities=targets, findings=findings)
    return EngineCheck(status="passed", by=by, capabilities=targets)


def _where_to_get(hint: str) -> str:
    if sys.platform == "linux" and platform.machine() == "x86_64":
        return hint
    return "its wheels are for Linux on x86-64 alone: build there"


def _crashed(onnx: Path, error: JobError) -> EngineCheck:
    """The result where the process failed: lack of memory or of a tool is no fault of the file."""
    if error.exit_code == InputError.exit_code:
        raise InputError(error.message, error.hint) from error
    if error.killed or error.exit_code == MissingDependencyError.exit_code:
        return EngineCheck(status="not checked", by=error.message)
    findings = (*_linted(onnx), error.message)
    return EngineCheck(status="refused", by="TensorRT-RTX", findings=findings)


if __name__ == "__main__":
    sys.exit(serve(CheckJob, run_job, sys.argv[1:]))
