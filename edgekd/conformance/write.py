"""Writing the vectors: whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import edgekd
from edgekd.bundle.manifest import FORMAT_VERSION
from edgekd.conformance.bundles import bundle_cases
from edgekd.conformance.captures import capture_cases
from edgekd.conformance.decisions import decision_cases
from edgekd.conformance.files import Folder
from edgekd.conformance.format import Vectors
from edgekd.conformance.photos import photo_cases
from edgekd.conformance.planes import plane_cases
from edgekd.conformance.predictions import prediction_cases, usable_backends
from edgekd.files import pretty_json, refuse_other_content, whole_folder
from edgekd.runtime.preprocess import RULE

__all__ = ["VECTORS", "write_vectors"]

VECTORS = "vectors.json"


def write_vectors(out: Path) -> Vectors:
    """Write the folder `out` with `vectors.json` and the files that it names.

    Returns:
        The vectors as written.

    Raises:
        InputError: `out` is a file or holds anything but earlier vectors, or its parent folder
            cannot be made.
        MissingDependencyError: `cryptography`, which makes the signatures, is not installed.
    """
    refuse_other_content(out, "vectors", lambda folder: (folder / VECTORS).is_file())
    with whole_folder(out) as root:
        folder = Folder(root)
        vectors = Vectors(
            edgekd=edgekd.__version__,
            rule=RULE,
            manifest_version=FORMAT_VERSION,
            engines={
                backend.name: _version_of(backend.engine.distributions)
                for backend in usable_backends()
            },
            photos=tuple(photo_cases(folder)),
            planes=tuple(plane_cases(folder)),
            captures=tuple(capture_cases(folder)),
            decisions=tuple(decision_cases()),
            bundles=tuple(bundle_cases(folder)),
            predictions=tuple(prediction_cases(folder)),
        )
        folder.add(VECTORS, pretty_json(vectors))
    return vectors


def _version_of(distributions: Sequence[str]) -> str:
    """`name version` of the first distribution that is installed."""
    for name in distributions:
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return "unknown"
