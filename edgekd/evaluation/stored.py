"""A validation that `edgekd eval --json` wrote, read again."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgekd.bench.result.file import read_result
from edgekd.errors import ArtefactError
from edgekd.evaluation.document import VALIDATION_VERSION, ValidatedResult, Validation

__all__ = ["read_validated", "with_section"]

_HINT = "run `edgekd eval --json` again"


class _Document(msgspec.Struct):
    validation: msgspec.Raw = msgspec.Raw()


class _Version(msgspec.Struct):
    version: str


def read_validated(path: Path) -> ValidatedResult:
    """A result with its section `validation`, which is None where the file has none.

    Raises:
        InputError: The file cannot be read.
        ArtefactError: It is no result, its section is damaged, or of another major version.
    """
    result = read_result(path)
    fields = {name: getattr(result, name) for name in result.__struct_fields__}
    return ValidatedResult(**fields, validation=_section(path))


def with_section(result: ValidatedResult) -> tuple[ValidatedResult, Validation] | None:
    """The result and its section; None without one that fits its rows."""
    section = result.validation
    if section is None or [each.name for each in section.models] != [r.name for r in result.rows]:
        return None
    return result, section


def _section(path: Path) -> Validation | None:
    try:
        raw = msgspec.json.decode(path.read_bytes(), type=_Document).validation
        if bytes(raw) in (b"", b"null"):
            return None
        version = msgspec.json.decode(raw, type=_Version).version
        if version.split(".")[0] != VALIDATION_VERSION.split(".")[0]:
            message = f"{path} has a validation of version {version[:20]}"
            raise ArtefactError(message, f"this edgekd reads {VALIDATION_VERSION}; {_HINT}")
        return msgspec.json.decode(raw, type=Validation)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ArtefactError(f"{path} has a damaged validation: {error}", _HINT) from error
