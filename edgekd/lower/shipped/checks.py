"""Checks of a shipped student before it leaves the machine that made it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgekd.errors import ArtefactError, GateFailedError
from edgekd.lower.shipped.student import read_student

__all__ = ["refuse_places", "verify_rebuilt"]

_PLACE = re.compile(r"(?:[A-Za-z]:\\|/)\w[\w.-]*(?:[/\\][\w.-]+)+")
"""A whole text that is an absolute path."""

_TEXTS = (".json", ".md", ".csv")


def refuse_places(folder: Path, places: Sequence[Path]) -> None:
    """Refuse texts that name places on this machine: they are of no use elsewhere, and private.

    Args:
        folder: The student's folder.
        places: Folders whose names must not occur anywhere.

    Raises:
        ArtefactError: A text names one.
    """
    for file in sorted(folder.rglob("*")):
        if file.suffix not in _TEXTS:
            continue
        text = file.read_text(encoding="utf-8")
        known = next((str(place) for place in places if f"{place}/" in text), None)
        paths = _strings(json.loads(text)) if file.suffix == ".json" else ()
        place = known or next((path for path in paths if _PLACE.fullmatch(path)), None)
        if place is not None:
            message = f"{file.relative_to(folder)} names a place on this machine: {place}"
            raise ArtefactError(message, "make the run with relative paths, or report this")


def _strings(value: Any) -> Iterator[str]:
    """Every text within plain values, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def verify_rebuilt(folder: Path, cache: Path | None = None) -> int:
    """Build every certified file again, without images, in a new process.

    Args:
        folder: The student's folder.
        cache: The cache; None for an empty one, so that every file is lowered.

    Returns:
        Number of the bundles.

    Raises:
        GateFailedError: A file is not the certified one.
    """
    student = read_student(folder)
    with tempfile.TemporaryDirectory(prefix="edgekd-") as work:
        for name, manifest in student.certificates.items():
            lowering, out = manifest.lowering, Path(work) / "bundles"
            words = ["build", "--target", lowering.target, "--model", str(folder.absolute())]
            words += ["--out", str(out), "--json"]
            words += [] if name == lowering.target else ["--precision", lowering.precision]
            _run(words, Path(work), cache or Path(work) / "cache", name)
    return len(student.certificates)


def _run(words: Sequence[str], work: Path, cache: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgekd", *words],
        capture_output=True, text=True, check=False, cwd=work,
        env=os.environ | {"EDGEKD_CACHE": str(cache)},
    )  # fmt: skip
    built = json.loads(done.stdout) if done.stdout else []
    if done.returncode != 0 or not all(one["certificate"]["certified"] for one in built):
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[:2]
        message = f"{name} cannot be built again as it was certified: {' '.join(last)}"
        raise GateFailedError(message, "find what differs between two lowerings, and mend that")
