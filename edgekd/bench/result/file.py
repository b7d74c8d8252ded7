"""The result as a file: its JSON Schema, reading and writing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from edgekd.bench.result import SCHEMA_VERSION, Result
from edgekd.errors import ArtefactError, InputError
from edgekd.files import pretty_json, write_atomically

__all__ = ["decode_result", "encode_result", "read_result", "result_schema", "write_result"]

_HINT = "give a file that `edgekd bench --json` wrote, or run it again"


def result_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a result."""
    return msgspec.json.schema(Result)


def encode_result(result: Result) -> bytes:
    """A result as indented JSON; the raw samples stay on one line per series."""
    return _on_one_line(pretty_json(result))


def write_result(path: Path, result: Result) -> None:
    """Write a result, whole or not at all.

    Raises:
        InputError: The place cannot be written to.
    """
    try:
        write_atomically(path, encode_result(result))
    except OSError as error:
        message = f"cannot write the result to {path}: {error.strerror}"
        raise InputError(message, "choose another place for --json") from error


def read_result(path: Path) -> Result:
    """Read a result.

    Raises:
        InputError: The file cannot be read.
        ArtefactError: It is damaged, no result, or of another major version.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the result {path}: {error.strerror}", _HINT) from error
    return decode_result(raw, name=str(path))


def decode_result(raw: bytes, *, name: str = "the result") -> Result:
    """A result from its JSON; `name` is used in messages.

    Raises:
        ArtefactError: See `read_result`.
    """
    _check_version(raw, name)
    try:
        return msgspec.json.decode(raw, type=Result)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ArtefactError(f"{name} is not a valid result: {error}", _HINT) from error


def _check_version(raw: bytes, name: str) -> None:
    """Refuse another major version before its fields can confuse the decoder."""
    try:
        version = str(msgspec.json.decode(raw)["schema_version"])
        major = int(version.split(".", maxsplit=1)[0])
    except (msgspec.DecodeError, LookupError, RecursionError, TypeError, ValueError) as error:
        message = f"{name} is not readable JSON with a schema_version"
        raise ArtefactError(message, _HINT) from error
    if major != int(SCHEMA_VERSION.split(".", maxsplit=1)[0]):
        message = f"{name} has schema version {version}; this edgekd reads {SCHEMA_VERSION}"
        raise ArtefactError(message, "install the edgekd that wrote it, or measure again")


def _on_one_line(indented: bytes) -> bytes:
    """Join the lines of arrays of numbers: a run has thousands of samples."""
    joined: list[bytes] = []
    numbers = False
    for line in indented.split(b"\n"):
        bare = line.strip()
        is_number = bare[:1].isdigit() or bare[:1] == b"-"
        if joined and (is_number or (numbers and bare[:1] == b"]")):
            joined[-1] += (b" " if numbers and is_number else b"") + bare
        else:
            joined.append(line)
        numbers = is_number
    return b"\n".join(joined)
