"""Bundles that a build wrote, or the errors that prevented them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import SELFTEST, Manifest, Rung, write_bundle, zip_bundle
from edgekd.bundle.seen_images import SEEN_IMAGES, SeenImages
from edgekd.errors import EdgekdError, GateFailedError
from edgekd.locks import only_writer
from edgekd.lower.attempt import Measured
from edgekd.lower.evidence.card import write_card
from edgekd.lower.ladder_run import RefusedError
from edgekd.runtime.selftest import Vectors

__all__ = [
    "BuiltBundle",
    "bundle_files",
    "held_alone",
    "worst_of",
    "write_built",
    "write_bundle_at",
]


@dataclass(frozen=True)
class BuiltBundle:
    """The result for one bundle: the bundle, or the error that prevented it (`path` is then None).

    Attributes:
        target: Name of its target.
        name: Name of the bundle.
        path: Path of the bundle; None where there is none.
        manifest: Manifest of the bundle; None where there is none.
        rungs: Every precision that was tried.
        error: Why there is no bundle; None for a bundle.
        fresh: Whether this build wrote it; False where the same bundle existed already.
        outputs: The file's outputs [N, …] for the validation images; None unless this build wrote
            it.
    """

    target: str
    name: str
    path: Path | None
    manifest: Manifest | None
    rungs: tuple[Rung, ...]
    error: EdgekdError | None = None
    fresh: bool = True
    outputs: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)

    @property
    def passed(self) -> bool:
        """Whether there is a bundle."""
        return self.path is not None

    @property
    def refused(self) -> tuple[str, ...]:
        """Why there is no bundle; empty for a bundle."""
        if isinstance(self.error, RefusedError):
            return self.error.reasons
        return () if self.error is None else (self.error.message,)


def worst_of(built: Sequence[BuiltBundle]) -> EdgekdError | None:
    """The error that a build ends with: a failed gate before any other; None without errors."""
    errors = [bundle.error for bundle in built if bundle.error is not None]
    gates = [error for error in errors if isinstance(error, GateFailedError)]
    if len(gates) > 1:
        return GateFailedError("; ".join(error.message for error in gates), gates[0].hint)
    return next(iter(gates or errors), None)


@contextmanager
def held_alone(paths: Iterable[Path]) -> Iterator[None]:
    """Hold the locks of bundles, so that no other process builds them meanwhile."""
    with ExitStack() as held:
        for path in paths:
            held.enter_context(only_writer(path, "built"))
        yield


def bundle_files(
    measured: Measured,
    manifest: Manifest,
    further: Mapping[str, Path] | None = None,
    seen_images: SeenImages | None = None,
) -> dict[str, Path | bytes]:
    """The files of a bundle by name, all but the self-test vectors.

    Args:
        measured: The lowered file.
        manifest: The bundle's manifest.
        further: Files of its program, if it has one.
        seen_images: Hashes of the images that the network was made with; None lists none.
    """
    files: dict[str, Path | bytes] = {**measured.files(), **(further or {})}
    files["card.md"] = write_card(manifest).encode()
    if seen_images is not None:
        files[SEEN_IMAGES] = seen_images.encode()
    return files


def write_built(
    path: Path,
    manifest: Manifest,
    files: dict[str, Path | bytes],
    vectors: Vectors,
    *,
    zipped: bool,
    reference: Mapping[str, Path | bytes] | None = None,
    features: Mapping[str, Path | bytes] | None = None,
) -> Manifest:
    """Write a bundle, whole or not at all; returns the manifest with its list of files."""
    with tempfile.TemporaryDirectory(prefix="edgekd-") as beside:
        vectors_file = Path(beside) / SELFTEST
        vectors.save(vectors_file)
        files = files | {SELFTEST: vectors_file}
        return write_bundle_at(
            path, manifest, files, zipped=zipped, reference=reference, features=features
        )


def write_bundle_at(
    path: Path,
    manifest: Manifest,
    files: Mapping[str, Path | bytes],
    *,
    zipped: bool,
    reference: Mapping[str, Path | bytes] | None = None,
    features: Mapping[str, Path | bytes] | None = None,
) -> Manifest:
    """Write a bundle as a folder or as one `.edgekd` file; the others are as for `write_bundle`."""
    if not zipped:
        return write_bundle(path, manifest, files, reference, features)
    with tempfile.TemporaryDirectory(prefix="edgekd-") as beside:
        folder = Path(beside) / "bundle"
        written = write_bundle(folder, manifest, files, reference, features)
        zip_bundle(folder, path)
        return written
