"""Whether a third party's backend lowers and runs a tiny network, each in a process of its own.

`python -m edgekd.doctor.third_party job.json` is that process.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Literal

import msgspec

from edgekd.doctor.finding import Finding
from edgekd.errors import ArtefactError, MissingDependencyError
from edgekd.files import pretty_json, write_atomically
from edgekd.lower.backends import get_backend
from edgekd.lower.jobs.process import JobError, run_in_process, serve
from edgekd.lower.precision import Variant
from edgekd.runtime.sessions import check_backend, open_session
from edgekd.targets import Target

__all__ = ["examine_third_party"]

_MODULE = "edgekd.doctor.third_party"  # this one; __name__ is __main__ there
_SIZE, _OUTPUTS = 16, 2
_REPORT_IT = "report it to the authors of the backend"


class ProbeJob(msgspec.Struct, frozen=True, kw_only=True):
    """What to try.

    Attributes:
        backend: Name of the backend.
        step: Lower a tiny network, or run the file that this wrote.
        folder: Where the file is.
    """

    backend: str
    step: Literal["lower", "run"]
    folder: str


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a step that succeeded, as text."""

    detail: str


def examine_third_party(target: Target) -> list[Finding]:
    """Lower a tiny network for a target and run the file, each in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="edgekd-") as folder:
        return [
            _finding(target, "lower", f"lower for {target.name}", Path(folder), needed=False),
            _finding(target, "run", f"run {target.name} bundles", Path(folder), needed=True),
        ]


def _finding(
    target: Target, step: Literal["lower", "run"], ability: str, folder: Path, *, needed: bool
) -> Finding:
    job = ProbeJob(backend=target.backend, step=step, folder=str(folder))
    log, result = folder / "logs" / f"{step}.log", folder / f"{step}.json"
    try:
        raw = run_in_process(_MODULE, job, title=target.backend, log=log, result=result)
    except JobError as error:
        missing = error.exit_code == MissingDependencyError.exit_code
        package = target.backend if missing else ""
        hint = error.hint.rpartition(f"see {log};")[0].removesuffix("; ")  # the log is deleted
        detail = f"{error.message}; {hint}" if hint else error.message
        return Finding(ability, False, needed, detail, package)
    detail = msgspec.json.decode(raw, type=ProbeResult).detail
    return Finding(ability, True, needed, detail)


def _run_job(job: ProbeJob) -> None:
    work = _lower if job.step == "lower" else _run
    result = ProbeResult(detail=work(job.backend, Path(job.folder)))
    write_atomically(Path(job.folder) / f"{job.step}.json", pretty_json(result))


def _lower(name: str, folder: Path) -> str:
    """Lower a network of one convolution and one linear layer."""
    backend = get_backend(name)
    try:
        from torch import nn
    except ImportError as error:
        raise MissingDependencyError("torch", "lower", f"lower with {name}") from error
    import numpy as np

    from edgekd.lower.graph import deploy_graph

    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, _OUTPUTS),
    )  # fmt: skip
    uncalibrated = [name for name in backend.precisions if not Variant(precision=name).calibrated]
    variant = Variant(precision=(uncalibrated or list(backend.precisions))[0])
    images = np.random.default_rng(0).integers(0, 256, (8, _SIZE, _SIZE, 3)).astype(np.uint8)
    out = folder / "lowered"
    out.mkdir()
    graph = deploy_graph(network, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    versions = backend.lower(graph, _SIZE, variant, images, out)
    if not (out / backend.model_file).is_file():
        message = f"{name} lowers without writing its {backend.model_file}"
        raise ArtefactError(message, _REPORT_IT)
    tools = ", ".join(f"{tool} {version}" for tool, version in versions.items())
    return f"a tiny network to {variant.precision}{f'; {tools}' if tools else ''}"


def _run(name: str, folder: Path) -> str:
    """Run the file of `_lower`; without one, check at least that the session loads."""
    import numpy as np

    check_backend(name)
    out = folder / "lowered"
    file = out / get_backend(name).model_file if out.is_dir() else None
    if file is None or not file.is_file():
        return "its session loads; there is no file to run"
    session = open_session(name, file)
    output = session.run(np.zeros((1, _SIZE, _SIZE, 3), np.uint8))
    session.close()
    if np.shape(output) != (1, _OUTPUTS) or not np.isfinite(output).all():
        message = f"{name} returns {np.shape(output)} for a network of {_OUTPUTS} outputs"
        raise ArtefactError(message, _REPORT_IT)
    return "a tiny network was run"


if __name__ == "__main__":
    sys.exit(serve(ProbeJob, _run_job, sys.argv[1:]))
