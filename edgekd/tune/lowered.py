"""The int8 file of a trial's student: its score, and whether its gate refuses it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from edgekd.errors import GateFailedError, InputError
from edgekd.lower.backends import get_backend
from edgekd.lower.backends.base import UnconvertibleError
from edgekd.lower.build import BuildRequest, BuiltBundle, build_all
from edgekd.lower.source import load_source
from edgekd.metrics.task import metrics_task
from edgekd.targets import load_target

__all__ = ["LoweredStudent", "check_target", "lower_student"]

PRECISION = "int8"
_BUNDLES = "bundles"


@dataclass(frozen=True)
class LoweredStudent:
    """The int8 file of a student.

    Attributes:
        bundle: Its bundle; None where it was refused.
        quality: The selection metric of its outputs on the validation images; None where it was
            refused.
        refusal: Why the gate, a floor of the policy or the engine refused it; "" if none did.
    """

    bundle: Path | None
    quality: float | None
    refusal: str = ""


def check_target(name: str) -> None:
    """Refuse a target that has no int8.

    Raises:
        InputError: There is no such target, or its backend has no int8.
        MissingDependencyError: The backend's packages are not installed.
    """
    if PRECISION not in get_backend(load_target(name).backend).precisions:
        raise InputError(f"there is no {PRECISION} for {name}", "take another target for --lowered")


def lower_student(run: Path, target: str) -> LoweredStudent:
    """Lower the student of a run to int8 and judge it as `edgekd build` does.

    Only validation images are read. The bundle is written into the run's folder.

    Args:
        run: Folder with the student.
        target: Name of the target.

    Raises:
        InputError, MissingDependencyError: The student cannot be judged at all.
    """
    out = run / _BUNDLES
    shutil.rmtree(out, ignore_errors=True)  # of an attempt whose worker was killed
    request = BuildRequest(
        model=run,
        targets=[load_target(target)],
        out=out,
        precisions=(PRECISION,),
    )
    (built,) = build_all(request)
    return _verdict(built, run)


def _verdict(built: BuiltBundle, run: Path) -> LoweredStudent:
    if isinstance(built.error, GateFailedError | UnconvertibleError):
        return LoweredStudent(None, None, built.error.message)
    if built.error is not None:
        raise built.error
    source = load_source(run)
    task = metrics_task(source.card.task)
    assert built.outputs is not None  # the folder was empty, so this build wrote the bundle
    return LoweredStudent(built.path, task.selection(built.outputs, source.targets))
