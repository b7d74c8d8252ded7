from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekd.distill.teachers.soft_label_files import (
    SUFFIXES,
    SoftLabelFile,
    read_soft_label_file,
    write_soft_label_file,
)
from edgekd.distill.teachers.soft_labels import SoftLabelFacts
from edgekd.errors import ArtefactError, InputError, MissingDependencyError

COLUMNS = ("mel", "nv, common", "äk")
FACTS = SoftLabelFacts(
    task="any", classes=COLUMNS, outputs=COLUMNS, views={"number": 2, "seed": 3}, image_size=32,
    resize="any", teacher={"sha256": "0"}, data={"name": "d", "sha256": "1"},
)  # fmt: skip


def content() -> SoftLabelFile:
    outputs = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)
    outputs[0, 0] = [np.float32(1) / 3, -1e-30, 3e30]
    names = ("a/1.png", "b 2.jpg", "ü3.png", "4")
    return SoftLabelFile(FACTS, COLUMNS, names, outputs, ("0f", "1e", "2d", "3c"), (7, 1, 3, 0))


def same(one: SoftLabelFile, other: SoftLabelFile) -> bool:
    return (
        replace(one, outputs=None) == replace(other, outputs=None)  # type: ignore[arg-type]
        and one.outputs.dtype == other.outputs.dtype
        and np.array_equal(one.outputs, other.outputs)
    )


@pytest.fixture(params=SUFFIXES)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == ".parquet":
        pytest.importorskip("pyarrow", reason="pip install 'edgekd[parquet]'")
    return tmp_path / f"soft{request.param}"


def test_every_number_comes_back(file: Path) -> None:
    write_soft_label_file(file, content())
    assert same(read_soft_label_file(file), content())


def test_rows_of_a_table_in_any_order(tmp_path: Path) -> None:
    file = tmp_path / "soft.csv"
    write_soft_label_file(file, content())
    about, header, *rows = file.read_text().splitlines()
    file.write_text("\n".join([about, header, *sorted(rows, reverse=True)]))
    shuffled = read_soft_label_file(file)
    order = [shuffled.names.index(name) for name in content().names]
    assert np.array_equal(shuffled.outputs[order], content().outputs)


def test_a_table_of_another_program(tmp_path: Path) -> None:
    file = tmp_path / "soft.csv"
    file.write_text("\ufeffimage,mel,label,nv\r\n1.png,0.25,x,0.75\r\n2.png,1,y,0\r\n")
    found = read_soft_label_file(file)
    assert (found.facts, found.columns, found.names) == (None, ("mel", "nv"), ("1.png", "2.png"))
    assert found.outputs.tolist() == [[[0.25, 0.75]], [[1.0, 0.0]]]


def test_an_npz_of_another_program(tmp_path: Path) -> None:
    file = tmp_path / "soft.npz"
    np.savez(file, logits=np.eye(2, dtype=np.float64), names=["1.png", "2.png"], classes=["a", "b"])
    found = read_soft_label_file(file)
    assert (found.facts, found.columns, found.names) == (None, ("a", "b"), ("1.png", "2.png"))
    assert found.outputs.shape == (2, 1, 2)


def test_damaged_files(file: Path) -> None:
    write_soft_label_file(file, content())
    whole = file.read_bytes()
    for spoilt in (b"", b"junk" * 20, whole[: len(whole) // 2]):
        file.write_bytes(spoilt)
        with pytest.raises(ArtefactError, match="no soft labels, or is damaged") as caught:
            read_soft_label_file(file)
        assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("old", "new"),
    [("\n4,1,", "\n4,0,"), ("4,1,0,3c", "5,1,0,3c"), ("mel", "mal"), ("image", "picture"),
     ('"1.0"', '"2.0"'), ("e+30", "e+300"), ("4,1,0", "4,x,0")],
)  # fmt: skip
def test_damaged_tables(tmp_path: Path, old: str, new: str) -> None:
    file = tmp_path / "soft.csv"
    write_soft_label_file(file, content())
    text = file.read_text()
    assert old in text
    first, _, rest = text.partition("\n")
    file.write_text(
        first.replace(old, new) + "\n" + rest if old in first else text.replace(old, new)
    )
    with pytest.raises(ArtefactError):
        read_soft_label_file(file)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    file = tmp_path / "soft.npz"
    np.savez(file, logits=np.array([{}], dtype=object), names=["1"], classes=["a"])
    with pytest.raises(ArtefactError):
        read_soft_label_file(file)


def test_other_names_and_missing_files(tmp_path: Path) -> None:
    for call in (read_soft_label_file, lambda file: write_soft_label_file(file, content())):
        with pytest.raises(InputError, match="none of the kinds") as caught:
            call(tmp_path / "soft.json")
        assert ".npz, .csv, .parquet" in caught.value.hint
    with pytest.raises(InputError, match="there are no soft labels"):
        read_soft_label_file(tmp_path / "soft.npz")


def test_parquet_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match="pyarrow") as caught:
        write_soft_label_file(tmp_path / "soft.parquet", content())
    assert caught.value.hint == "pip install 'edgekd[parquet]'"
    assert list(tmp_path.iterdir()) == []


def test_the_first_line_of_a_table_says_what_it_is(tmp_path: Path) -> None:
    file = tmp_path / "soft.csv"
    write_soft_label_file(file, content())
    first, header, *_ = file.read_text().splitlines()
    assert json.loads(first.removeprefix("# edgekd "))["views"] == {"number": 2, "seed": 3}
    assert header == 'image,view,position,sha256,mel,"nv, common",äk'
