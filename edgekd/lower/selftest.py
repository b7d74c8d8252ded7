"""Self-test vectors: images whose outputs every device compares with the host's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import SELFTEST
from edgekd.errors import GateFailedError
from edgekd.lower.attempt import Measured
from edgekd.lower.source import Source
from edgekd.lower.task import evidence_task
from edgekd.runtime.selftest import Vectors

__all__ = ["SELFTEST_IMAGES", "selftest_vectors", "tolerance_of"]

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
