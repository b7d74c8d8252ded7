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

from edgekd.bundle.seen_images import SEEN_IMAGES
from edgekd.errors import ArtefactError, GateFailedError
from edgekd.lower.shipped.student import ShippedStudent, read_student

__all__ = ["refuse_places", "verify_rebuilt"]

_PLACE = re.compile(r"(?:[A-Za-z]:\\|/)\w[\w.-]*(?:[/\\][\w.-]+)+")
"""A whole text that is an absolute path."""

_ERROR = "error: "
"""Start of the line of an error on stderr."""

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
        structured = file.suffix == ".json" and file.name != SEEN_IMAGES  # Base64 has slashes
        paths = _strings(json.loads(text)) if structured else ()
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
        for targets, precision in _commands(student):
            words = ["build", "--target", ",".join(targets), "--model", str(folder.absolute())]
            words += ["--precision", precision] if precision else []
            words += ["--out", str(Path(work) / "bundles"), "--json"]
            _run(words, Path(work), cache or Path(work) / "cache")
    return len(student.certificates)


def _commands(student: ShippedStudent) -> Iterator[tuple[list[str], str]]:
    """Targets that are built by one command, and the precision of the command; "" for their own."""
    by_precision: dict[str, list[str]] = {}
    for name, manifest in student.certificates.items():
        lowering = manifest.lowering
        precision = "" if name == lowering.target else lowering.precision
        by_precision.setdefault(precision, []).append(lowering.target)
    for precision, targets in by_precision.items():
        yield targets, precision


def _run(words: Sequence[str], work: Path, cache: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "edgekd", *words],
        capture_output=True, text=True, check=False, cwd=work,
        env=os.environ | {"EDGEKD_CACHE": str(cache)},
    )  # fmt: skip
    built = json.loads(done.stdout) if done.stdout else []
    if done.returncode != 0 or not built or not all(map(_is_certified, built)):
        names = ", ".join(one["name"] for one in built if not _is_certified(one)) or "the student"
        errors = [line for line in done.stderr.splitlines() if line.startswith(_ERROR)]
        why = (errors or done.stderr.strip().splitlines()[-1:] or ["it says nothing"])[0]
        message = f"{names} cannot be built again as it was certified: {why}"
        raise GateFailedError(message, "find what differs between two lowerings, and mend that")


def _is_certified(summary: dict[str, Any]) -> bool:
    return bool((summary["certificate"] or {}).get("certified"))
