"""Tables as Parquet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from edgekd.data import load_dataset
from edgekd.data.parquet import parquet_records
from edgekd.errors import InputError, MissingDependencyError


def write(file: Path, **columns: list[Any]) -> Path:
    pyarrow = pytest.importorskip("pyarrow", reason="pip install 'edgekd[parquet]'")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table(columns), file)
    return file


def test_values_become_texts(tmp_path: Path) -> None:
    file = write(
        tmp_path / "t.parquet",
        image=["a", "b"], n=[1, None], x=[1.5, 2.0], flag=[True, False], some=[["p", "q"], []],
    )  # fmt: skip
    assert list(parquet_records(file)) == [
        ["image", "n", "x", "flag", "some"],
        ["a", "1", "1.5", "true", "p;q"],
        ["b", "", "2.0", "false", ""],
    ]


def test_a_data_set(root: Path) -> None:
    file = write(root / "t.parquet", image=list("abcd"), label=[0, 1, 1, 0], age=[1.0, 2, 3, None])
    section = {"source": "csv", "file": str(file), "attributes": ["age"]}
    dataset = load_dataset(section)
    assert dataset.classes == ("0", "1")
    assert [sample.image for sample in dataset.samples] == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    assert dataset.samples[3].attributes == {"age": "unknown"}
    with pytest.raises(InputError, match=r"line 2 of .* has the class '1'"):
        load_dataset(section | {"classes": ["0", "2"]})


def test_a_file_that_is_none(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pip install 'edgekd[parquet]'")
    file = tmp_path / "t.parquet"
    with pytest.raises(InputError, match="does not exist"):
        list(parquet_records(file))
    file.write_bytes(b"PAR1 but no more")
    with pytest.raises(InputError, match="cannot be read as Parquet") as caught:
        list(parquet_records(file))
    assert caught.value.hint


def test_without_pyarrow_the_pip_line_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # Python's own way: not importable
    with pytest.raises(MissingDependencyError) as caught:
        list(parquet_records(tmp_path / "t.parquet"))
    assert caught.value.hint == "pip install 'edgekd[parquet]'"
