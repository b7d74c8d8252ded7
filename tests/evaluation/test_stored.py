"""A validation is read as it was written; what is no validation is refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from scripted import mixed

from edgekd.errors import ArtefactError
from edgekd.evaluation.stored import read_validated, with_section
from edgekd.files import pretty_json


def written(folder: Path, **changes: object) -> Path:
    values = msgspec.to_builtins(mixed(60).result) | changes
    file = folder / "result.json"
    file.write_bytes(pretty_json(values))
    return file


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    again = read_validated(written(tmp_path))
    assert again.validation == mixed(60).result.validation
    pair = with_section(again)
    assert pair is not None
    assert pair[1] == again.validation


def test_a_result_without_a_validation(tmp_path: Path) -> None:
    plain = read_validated(written(tmp_path, validation=None))
    assert plain.validation is None
    assert with_section(plain) is None


def test_a_section_of_other_rows_is_none(tmp_path: Path) -> None:
    again = read_validated(written(tmp_path))
    assert with_section(msgspec.structs.replace(again, rows=again.rows[:1])) is None


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"version": "2.0"}, "a validation of version 2.0"),
        ({"version": "1.0"}, "damaged validation"),
        ([], "damaged validation"),
    ],
)
def test_what_is_no_validation(tmp_path: Path, section: object, message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        read_validated(written(tmp_path, validation=section))
