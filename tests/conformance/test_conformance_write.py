"""The folder of the vectors."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from edgekd.conformance import VECTORS, Vectors, write_vectors
from edgekd.errors import InputError
from edgekd.schemas import published


def test_vectors_are_valid_by_their_schema(vectors_folder: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="pip install jsonschema")
    schema = json.loads(published("vectors").read_bytes())
    validator = jsonschema.Draft202012Validator(schema)
    document = json.loads((vectors_folder / VECTORS).read_bytes())
    assert list(validator.iter_errors(document)) == []
    document["photos"][0]["size"] = "large"
    assert list(validator.iter_errors(document))


def test_every_file_is_there_and_named(vectors_folder: Path, vectors: Vectors) -> None:
    named = {VECTORS}
    groups = (
        vectors.photos,
        vectors.planes,
        vectors.captures,
        vectors.bundles,
        vectors.predictions,
    )
    for case in (case for group in groups for case in group):
        for field in ("photo", "square", "bundle", "public_key"):
            named |= {getattr(case, field, None)} - {None}
    named |= {plane.file for case in vectors.planes for plane in (case.y, case.u, case.v)}
    there = {
        file.relative_to(vectors_folder).as_posix()
        for file in vectors_folder.rglob("*")
        if file.is_file()
    }
    assert there == named


def test_ids_are_unique(vectors: Vectors) -> None:
    for name in ("photos", "planes", "captures", "decisions", "bundles", "predictions"):
        group = getattr(vectors, name)
        ids = [case.id for case in group]
        assert len(set(ids)) == len(ids) > 10


def test_hashes_are_those_of_the_squares(vectors_folder: Path, vectors: Vectors) -> None:
    for case in vectors.photos:
        assert (case.refused is None) == (case.square is not None) == (case.sha256 is not None)
        if case.square is not None:
            raw = (vectors_folder / case.square).read_bytes()
            assert (hashlib.sha256(raw).hexdigest(), len(raw)) == (case.sha256, 3 * case.size**2)


def test_no_path_of_this_machine(vectors_folder: Path) -> None:
    assert str(vectors_folder.parent) not in (vectors_folder / VECTORS).read_text()


def test_a_folder_with_anything_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("of a year")
    with pytest.raises(InputError, match="holds no earlier vectors"):
        write_vectors(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "of a year"
