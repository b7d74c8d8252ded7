"""The float student as a file beside one that is not certified, for `edgekd certify`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekd.bundle import ReferenceRecord
from edgekd.errors import ArtefactError
from edgekd.lower.attempt import Failed, Measured
from edgekd.lower.context import BuildContext
from edgekd.lower.pipeline import lower_variants
from edgekd.lower.precision import FLOAT, Variant
from edgekd.lower.selftest import require_rounding

__all__ = ["FloatStudent", "float_student", "require_parity"]


@dataclass(frozen=True)
class FloatStudent:
    """The file, as a bundle carries it.

    Attributes:
        record: What the manifest says of it; the writer fills in its files.
        files: Its files by name.
    """

    record: ReferenceRecord
    files: Mapping[str, Path | bytes]


def float_student(context: BuildContext, backend: str) -> FloatStudent:
    """Lower the float student in fp32, and compare the file with the network itself.

    Args:
        context: The build, whose source has the images that are compared on.
        backend: Name of the backend of the bundle.

    Raises:
        GateFailedError: The file is not the float student.
        ArtefactError, JobError: It cannot be lowered.
    """
    (attempt,) = lower_variants(context, backend, [Variant(precision=FLOAT)])
    if isinstance(attempt, Failed):
        if attempt.error is not None:
            raise attempt.error
        raise ArtefactError(f"{FLOAT} by {backend}: {attempt.failure}", "choose another target")
    difference = require_parity(context, attempt)
    lowering = attempt.attempt.backend
    record = ReferenceRecord(
        backend=lowering.host_session,
        model_file=lowering.model_file,
        images=len(context.source.images),
        max_difference=difference,
    )
    return FloatStudent(record, attempt.files())


def require_parity(context: BuildContext, measured: Measured) -> float:
    """Largest difference of an output of an fp32 file from the float student's.

    Raises:
        GateFailedError: It is more than rounding.
    """
    name = measured.attempt.backend.name
    problem = f"the {FLOAT} file by {name} is not the float student"
    return require_rounding(measured.answers.outputs, context.source.outputs, problem, "an output")
