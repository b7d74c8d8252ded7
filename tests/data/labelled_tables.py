"""Tables of four images, read as training and as evaluation read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekd.bench.subjects.labelled import data_of_csv
from edgekd.data import load_dataset
from edgekd.errors import InputError

__all__ = ["EXPECTED", "READERS", "ROWS", "Read", "evaluated", "refusal", "table", "trained"]

ROWS = ("a.jpg,mel", "b.jpg,nv", "c.jpg,nv", "d.jpg,mel")
EXPECTED = [("a.jpg", "mel"), ("b.jpg", "nv"), ("c.jpg", "nv"), ("d.jpg", "mel")]
Read = Callable[..., list[tuple[str, str]]]


def trained(file: Path, **keys: Any) -> list[tuple[str, str]]:
    """Image and label of each row as training reads them."""
    dataset = load_dataset({"source": "csv", "file": str(file), **keys})
    return [(sample.image, sample.label) for sample in dataset.samples]


def evaluated(file: Path, *, classes: Any = ("mel", "nv"), **keys: Any) -> list[tuple[str, str]]:
    """The same as `edgekd eval --csv` reads them."""
    data = data_of_csv(file, tuple(classes), **keys)
    return [(str(path.relative_to(file.parent)), label) for path, label in data.images]


READERS = pytest.mark.parametrize("read", [trained, evaluated])


def table(root: Path, *lines: str, encoding: str = "utf-8", end: str = "\n") -> Path:
    file = root / "labels.csv"
    file.write_bytes("".join(f"{line}{end}" for line in lines).encode(encoding))
    return file


def refusal(read: Read, file: Path, **keys: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        read(file, **keys)
    assert caught.value.hint
    return caught.value
