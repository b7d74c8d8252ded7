"""Self-test vectors: images whose outputs every device compares with the host's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import SELFTEST
from edgekd.errors import GateFailedError
from edgekd.lower.attempt import Measured
from edgekd.lower.precision import FLOAT
from edgekd.lower.source import Source
from edgekd.lower.task import evidence_task
from edgekd.runtime.selftest import Vectors

__all__ = ["SELFTEST_IMAGES", "require_rounding", "selftest_vectors", "tolerance_of"]

SELFTEST_IMAGES = 16
"""Number of images of a self-test, of as many as there are."""

_RELATIVE_TOLERANCE = {"fp32": 0.002, "fp16": 0.02, "int8-weights": 0.02}
_INT8_TOLERANCE = 0.1


def selftest_vectors(source: Source, measured: Measured) -> Vectors:
    """Validation images of different targets in turn, with the file's outputs on this host.

    The tolerance is that of `tolerance_of`.

    Raises:
        GateFailedError: Outputs are not finite.
    """
    order = evidence_task(source.card.task).selftest_order(source.targets, SELFTEST_IMAGES)
    outputs = measured.answers.outputs[order]
    if not np.isfinite(outputs).all():
        message = f"{SELFTEST} cannot be made: outputs are not finite"
        raise GateFailedError(message, "take a safer --precision, or another student")
    tolerance = tolerance_of(outputs, measured.attempt.variant.precision)
    return Vectors(source.images[order], outputs, tolerance)


def tolerance_of(outputs: NDArray[np.float32], precision: str) -> float:
    """Largest difference that other kernels for the same file may have in an output.

    It is relative to the largest of `outputs` [N, …]: other processors sum in another order, and
    int8 kernels may round differently by a step.
    """
    scale = max(1.0, float(np.abs(outputs).max()))
    return _RELATIVE_TOLERANCE.get(precision, _INT8_TOLERANCE) * scale


def require_rounding(
    outputs: NDArray[np.float32], expected: NDArray[np.float32], problem: str, value: str
) -> float:
    """Largest difference of a file's outputs in fp32 from those of the network itself.

    Args:
        outputs: Of the file [N, …].
        expected: Of the network [N, …].
        problem: What is wrong where they differ, for the message.
        value: What one of the outputs is called.

    Raises:
        GateFailedError: It is more than rounding, or the shapes differ.
    """
    same = outputs.shape == expected.shape
    difference = float(np.abs(outputs - expected).max(initial=0.0)) if same else float("inf")
    allowed = tolerance_of(expected, FLOAT)
    if not difference <= allowed:  # NaN too
        message = f"{problem}: {value} is off by {difference:.3g}, more than {allowed:.3g}"
        raise GateFailedError(message, "report the machine and the engine; build it elsewhere")
    return difference
