"""The student's features as a file beside a bundle's model file, for `edgekd enrol`.

They are in fp32, whatever the bundle's precision: few images teach a head, which the rounding of
int8 would disturb as much as the difference between two lesions may be.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import SELFTEST, FeaturesRecord
from edgekd.errors import ArtefactError
from edgekd.lower.attempt import Failed, Measured
from edgekd.lower.context import BuildContext
from edgekd.lower.pipeline import lower_variants
from edgekd.lower.precision import FLOAT, Variant
from edgekd.lower.selftest import SELFTEST_IMAGES, require_rounding, tolerance_of
from edgekd.lower.source import Source
from edgekd.runtime.selftest import Vectors

__all__ = ["FeatureFile", "feature_file"]


@dataclass(frozen=True)
class FeatureFile:
    """The file, as a bundle carries it.

    Attributes:
        record: What the manifest says of it; the writer fills in its files.
        files: Its files by name, self-test vectors among them.
    """

    record: FeaturesRecord
    files: Mapping[str, Path | bytes]


def feature_file(context: BuildContext, backend: str) -> FeatureFile:
    """Lower the student's features in fp32, and compare the file with the network itself.

    Args:
        context: The build, whose source has the images that are compared on.
        backend: Name of the backend of the bundle.

    Raises:
        GateFailedError: The file does not give the network's features.
        InputError: The network has none.
        ArtefactError, JobError: They cannot be lowered.
    """
    measured = _lowered(replace(context, features=True, ranges={}), backend)
    outputs = measured.answers.outputs
    difference = _difference(context.source, outputs, backend)
    vectors = io.BytesIO()
    _selftest(context.source, outputs).save(vectors)
    lowering = measured.attempt.backend
    record = FeaturesRecord(
        backend=lowering.name,
        model_file=lowering.model_file,
        precision=FLOAT,
        size=outputs.shape[1],
        images=len(outputs),
        max_difference=difference,
    )
    return FeatureFile(record, measured.files() | {SELFTEST: vectors.getvalue()})


def _lowered(context: BuildContext, backend: str) -> Measured:
    (attempt,) = lower_variants(context, backend, [Variant(precision=FLOAT)])
    if not isinstance(attempt, Failed):
        return attempt
    if attempt.error is not None:
        raise attempt.error
    message = f"the features by {backend}: {attempt.failure}"
    raise ArtefactError(message, "leave --features out")


def _selftest(source: Source, outputs: NDArray[np.float32]) -> Vectors:
    """Images in equal steps: of a student without images they are painted, and of no class."""
    count = len(outputs)
    order = np.unique(np.linspace(0, count - 1, min(count, SELFTEST_IMAGES)).astype(int))
    return Vectors(source.images[order], outputs[order], tolerance_of(outputs, FLOAT))


def _difference(source: Source, outputs: NDArray[np.float32], backend: str) -> float:
    """Largest difference of a feature from the network's.

    Raises:
        GateFailedError: It is more than rounding.
    """
    from edgekd.models.embeddings import embeddings_of

    expected = embeddings_of(source.checkpoint.normalised(), source.images)
    problem = f"the {FLOAT} file by {backend} does not give the student's features"
    return require_rounding(outputs, expected, problem, "one")
