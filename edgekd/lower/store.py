"""Lowered files and their outputs from earlier builds, addressed by content.

A key holds everything that a file depends on: weights, graph, backend, variant, versions of the
tools, edgekd's code that may take part, the code of third parties' extensions, and for int8 the
calibration images. Building again is therefore instant, and another calibration list lowers only
int8 again.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import EngineCheck
from edgekd.data import cache_folder
from edgekd.extensions.backends import BACKENDS, BackendDescriptor, backend_named
from edgekd.extensions.registry import Registry
from edgekd.extensions.tasks import DEFAULT_TASK, TASKS, task_named
from edgekd.files import atomic_write, pretty_json, whole_folder
from edgekd.lower.backends.base import versions_of
from edgekd.lower.jobs.trial import Answers
from edgekd.lower.precision import Variant
from edgekd.models import ModelCard
from edgekd.recipe import fingerprint
from edgekd.seals import is_whole, read_kept, seal, seal_files, write_sealed

__all__ = [
    "ABOVE",
    "Kept",
    "Store",
    "array_sha256",
    "code_sha256",
    "providers_of",
    "tool_versions",
    "tree_sha256",
]

_MADE, _TOOLS_FILE = "made", "tools.json"
# Made once: msgspec crashes where two threads (of backends) meet a type for the first time.
_CHECKS = msgspec.json.Decoder(EngineCheck)
_KEPT = 400
"""Number of entries that are kept; the longest unused are removed first."""

_BASE = ("torch", "timm", "numpy")
"""What every lowered file depends on, whatever its backend."""
ABOVE = frozenset(
    {
        "__main__.py",
        "bench",
        "cli",
        "conformance",
        "distill",
        "doctor",
        "dossier",
        "evaluation",
        "schemas",
        "tune",
    }
)
"""Parts of edgekd that lowering must not import (the layers of pyproject.toml)."""


class Kept(NamedTuple):
    """A lowered file in the store.

    Attributes:
        folder: Folder with its files.
        tools: Versions of the tools that made them.
    """

    folder: Path
    tools: dict[str, str]


class Store:
    """The kept files and answers below the user's cache folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or cache_folder() / "lowered"

    def key(
        self,
        card: ModelCard,
        backend: str,
        variant: Variant,
        calibration: str | None,
        *,
        scanned: bool = False,
    ) -> str:
        """Key of a lowered file.

        Args:
            card: The student's model card.
            backend: Name of the lowering backend.
            variant: The variant.
            calibration: Hash of the calibration images; matters for int8 alone.
            scanned: Whether they matter for this variant too, see `reads_calibration`.
        """
        network = (
            card.network_sha256, card.arch, card.arch_options, card.mean, card.std,
            card.subclass_of,
        )  # fmt: skip
        used = calibration if variant.calibrated or scanned else None
        shape = (card.image_size, len(card.classes))
        tools = (tool_versions(backend), code_sha256(), providers_of(backend))
        return fingerprint(network, shape, backend, variant, used, tools)[:32]

    def find(self, key: str) -> Kept | None:
        """The file of that key, or None."""
        place = self._folder / key / _MADE
        if not is_whole(place):
            return None
        os.utime(place.parent)
        tools = msgspec.json.decode((place / _TOOLS_FILE).read_bytes(), type=dict[str, str])
        return Kept(place / "files", tools)

    def keep(self, key: str, files: Path, tools: dict[str, str]) -> Kept:
        """Copy the files of a folder into the store, with the versions of their tools."""
        place = self._folder / key / _MADE
        with whole_folder(place) as beside:
            shutil.copytree(files, beside / "files")
            (beside / _TOOLS_FILE).write_bytes(pretty_json(tools))
            made = [file for file in beside.rglob("*") if file.is_file()]
            seal_files(beside, [file.relative_to(beside).as_posix() for file in made])
        self._prune()
        return Kept(place / "files", tools)

    def find_answers(self, key: str, images: str, threads: int) -> Answers | None:
        """Outputs of the file of that key for images of that hash, or None."""
        file = self._answers(key, images, threads)
        return None if read_kept(file, file.name) is None else Answers.load(file)

    def keep_answers(self, key: str, images: str, threads: int, answers: Answers) -> None:
        """Keep the outputs of a file."""
        file = self._answers(key, images, threads)
        with atomic_write(file) as beside:
            answers.save(beside)
            seal(beside, file.name)

    def find_check(self, key: str, checkers: Mapping[str, str]) -> EngineCheck | None:
        """Result of checking the file of that key with tools of these versions, or None."""
        file = self._check(key, checkers)
        content = read_kept(file, file.name)
        return None if content is None else _CHECKS.decode(content)

    def keep_check(self, key: str, checkers: Mapping[str, str], check: EngineCheck) -> None:
        """Keep the result of checking a file."""
        file = self._check(key, checkers)
        write_sealed(file, pretty_json(check), file.name)

    def _check(self, key: str, checkers: Mapping[str, str]) -> Path:
        name = fingerprint(dict(checkers), code_sha256())[:16]
        return self._folder / key / f"{name}.check.json"

    def _answers(self, key: str, images: str, threads: int) -> Path:
        name = fingerprint(images, threads, _host())[:16]
        return self._folder / key / f"{name}.npz"

    def _prune(self) -> None:
        entries = sorted(self._folder.iterdir(), key=_last_used)
        for entry in entries[:-_KEPT]:
            shutil.rmtree(entry, ignore_errors=True)


def array_sha256(array: NDArray[np.generic]) -> str:
    """Hex SHA-256 of an array's type, shape and values."""
    digest = hashlib.sha256(f"{array.dtype}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def tool_versions(backend: str | None = None) -> dict[str, str]:
    """Versions of what is installed and takes part in lowering, by distribution.

    Args:
        backend: Its tools, its engine, and the engine that runs its files on this host are
            included; None for what torch alone computes.
    """
    names = list(_BASE)
    for descriptor in _descriptors(backend) if backend is not None else ():
        names += [*descriptor.versions, *descriptor.engine.distributions]
    return versions_of(*dict.fromkeys(names))


def code_sha256() -> str:
    """Hash of edgekd's code that may take part; in a checkout code changes without its version.

    That is everything but `ABOVE`, so that a new module cannot be forgotten.
    """
    return tree_sha256(Path(__file__).resolve().parent.parent, ABOVE)


def providers_of(backend: str, task: str = DEFAULT_TASK) -> tuple[tuple[str, str], ...]:
    """Third parties' extensions behind a file: distribution with version, and hash of the code.

    Args:
        backend: Name of the backend; the session that runs its files here is included.
        task: Name of the task, which judges the outputs.

    Returns:
        One pair for each extension that is not edgekd's own.
    """
    pairs = [
        _provider(BACKENDS, each.name, (each.lowering, each.session))
        for each in _descriptors(backend)
    ]
    pairs.append(_provider(TASKS, task, task_named(task).layers.values()))
    return tuple(sorted(pair for pair in pairs if pair is not None))


def _provider(registry: Registry, name: str, places: Iterable[str]) -> tuple[str, str] | None:
    """Distribution with version of an extension, and hash of its code; None for edgekd's own."""
    owner = registry.owner(name)
    if not owner:
        return None
    packages = {re.split(r"[.:]", place)[0] for place in (registry.module(name), *places)}
    hashes = [_package_sha256(package) for package in sorted(packages - {"edgekd"})]
    return owner, fingerprint(hashes)


def _descriptors(backend: str) -> list[BackendDescriptor]:
    """Descriptors of a backend and of the one whose session runs its files on a host."""
    own = backend_named(backend)
    return [own] if own.host_session == backend else [own, backend_named(own.host_session)]


def _package_sha256(name: str) -> str:
    """Hash of a package's code, without importing the package."""
    spec = find_spec(name)
    if spec is None:
        return ""
    places = spec.submodule_search_locations or ([spec.origin] if spec.origin else [])
    return fingerprint([tree_sha256(Path(place)) for place in places])


@lru_cache(maxsize=16)
def tree_sha256(place: Path, without: frozenset[str] = frozenset()) -> str:
    """Hash of the Python code of a module or package, by content and place.

    Args:
        place: A file or a folder.
        without: Names at its top that are left out.
    """
    digest = hashlib.sha256()
    files = [place] if place.is_file() else sorted(place.rglob("*.py"))
    for file in files:
        parts = file.relative_to(place).parts
        if not without.intersection(parts[:1]):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{'/'.join(parts)} {content}\n".encode())
    return digest.hexdigest()


def _last_used(entry: Path) -> float:
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:  # another build has just pruned it
        return 0.0


def _host() -> str:
    """Hash of this machine; latencies are kept by machine."""
    return fingerprint(list(os.uname()), os.cpu_count())
