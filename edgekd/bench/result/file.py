"""Results as JSON files: the JSON Schema, writing, and reading of every minor version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from edgekd.bench.measure.flags import NOT_MEASURED
from edgekd.bench.result.schema import SCHEMA_VERSION, Result
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
    """A result from its JSON; `name` is for messages.

    Raises:
        ArtefactError: See `read_result`.
    """
    document = _document(raw, name)
    try:
        return msgspec.convert(_with_typed_flags(document), Result)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ArtefactError(f"{name} is not a valid result: {error}", _HINT) from error


def _document(raw: bytes, name: str) -> dict[str, Any]:
    """The JSON as plain values; another major version is refused before it is converted."""
    try:
        document: dict[str, Any] = msgspec.json.decode(raw)
        version = str(document["schema_version"])
        major = int(version.split(".", maxsplit=1)[0])
    except (msgspec.DecodeError, LookupError, RecursionError, TypeError, ValueError) as error:
        message = f"{name} is not readable JSON with a schema_version"
        raise ArtefactError(message, _HINT) from error
    if major != int(SCHEMA_VERSION.split(".", maxsplit=1)[0]):
        message = f"{name} has schema version {version}; this edgekd reads {SCHEMA_VERSION}"
        raise ArtefactError(message, "install the edgekd that wrote it, or measure again")
    return document


# ---- versions 1.0 to 1.4, which wrote flags and missing numbers as text ----


def _with_typed_flags(document: dict[str, Any]) -> dict[str, Any]:
    """The document with every flag and missing number that is text as `code` and `detail`."""
    rows, missing = document.get("rows"), document.get("missing")
    typed: dict[str, Any] = {}
    if isinstance(rows, list):
        typed["rows"] = [_with_flags(row) if isinstance(row, dict) else row for row in rows]
    if isinstance(missing, list):
        typed["missing"] = [
            _missing_of(each) if isinstance(each, str) else each for each in missing
        ]
    return document | typed


def _with_flags(row: dict[str, Any]) -> dict[str, Any]:
    flags = row.get("flags")
    if not isinstance(flags, list):
        return row
    return row | {"flags": [_flag_of(each) if isinstance(each, str) else each for each in flags]}


def _flag_of(text: str) -> dict[str, str]:
    """`code: detail` as it was written before version 1.5."""
    code, _, detail = text.partition(": ")
    return {"code": code, "detail": detail}


def _missing_of(text: str) -> dict[str, str | None]:
    """`row: code: detail`, or a sentence about the whole device."""
    row, _, flag = text.partition(": ")
    code, _, detail = flag.partition(": ")
    if code in NOT_MEASURED.values():
        return {"row": row, "code": code, "detail": detail}
    return {"row": None, "code": "not-measured", "detail": text}


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
