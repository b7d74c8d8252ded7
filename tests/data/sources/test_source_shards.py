"""The source `shards`, and addresses in the sources `csv` and `folder`."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import fsspec
import numpy as np
import pytest

from edgekd.data import decoded_images, load_dataset
from edgekd.errors import InputError


def jpeg(level: int) -> bytes:
    return bytes(cv2.imencode(".jpg", np.full((40, 40, 3), level, np.uint8))[1].tobytes())


def shard(levels: range) -> bytes:
    """Samples 000, 010, … of that grey; odd ones are of class 1."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for level in levels:
            texts = {
                "jpg": jpeg(level), "cls": str(level // 10 % 2).encode(),
                "json": f'{{"patient": "P{level // 20}", "age": {level}}}'.encode(),
            }  # fmt: skip
            for suffix, content in texts.items():
                member = tarfile.TarInfo(f"{level:03}.{suffix}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def store(cache: Path) -> Iterator[Any]:
    """A bucket in memory with two shards, a table, and a folder of classes."""
    memory = fsspec.filesystem("memory")
    files = {f"shards/{n:03}.tar": shard(range(100 * n, 100 * n + 60, 10)) for n in range(2)}
    for name, level in (("nv", 10), ("mel", 200)):
        files |= {f"set/{name}/{n}.jpg": jpeg(level + n) for n in range(3)}
    lines = [f"{name}/{n}.jpg,{name}\n" for name in ("nv", "mel") for n in range(3)]
    files["set/labels.csv"] = f"image,label\n{''.join(lines)}".encode()
    for name, content in files.items():
        with memory.open(f"/bucket/{name}", "wb") as stream:
            stream.write(content)
    yield memory
    memory.rm("/", recursive=True)


SECTION = {
    "source": "shards", "urls": ["memory://bucket/shards/{000..001}.tar"],
    "classes": ["nv", "mel"], "group_key": "patient",
}  # fmt: skip


def test_shards_are_a_data_set(store: Any) -> None:
    dataset = load_dataset(SECTION)
    assert len(dataset.samples) == 12
    assert dataset.classes == ("nv", "mel")
    assert dataset.labels() == ["nv", "mel"] * 6
    assert [s.group for s in dataset.samples[:4]] == ["P0", "P0", "P1", "P1"]
    assert dataset.samples[1].columns["age"] == "10"
    levels = decoded_images(dataset, 16)[:, 8, 8, 0]
    assert levels.tolist() == pytest.approx([*range(0, 60, 10), *range(100, 160, 10)], abs=2)


def test_a_moved_shard_is_the_same_data_set(store: Any, tmp_path: Path) -> None:
    (tmp_path / "copy.tar").write_bytes(shard(range(0, 60, 10)))
    here = load_dataset({**SECTION, "urls": [str(tmp_path / "copy.tar")]})
    there = load_dataset({**SECTION, "urls": ["memory://bucket/shards/000.tar"]})
    assert here.samples == there.samples


def test_a_missing_shard_is_named(store: Any) -> None:
    with pytest.raises(InputError, match=r"memory://bucket/shards/002\.tar cannot be read"):
        load_dataset({**SECTION, "urls": ["memory://bucket/shards/{000..002}.tar"]})


def test_grades_need_their_order() -> None:
    section = {key: value for key, value in SECTION.items() if key != "classes"}
    with pytest.raises(InputError, match="`ordered` needs `classes`"):
        load_dataset({**section, "ordered": True})


def test_a_table_and_its_images_at_an_address(store: Any) -> None:
    dataset = load_dataset({"source": "csv", "file": "memory://bucket/set/labels.csv"})
    assert dataset.name == "labels"
    assert dataset.labels() == ["nv"] * 3 + ["mel"] * 3
    assert decoded_images(dataset, 16)[0, 0, 0, 0] == pytest.approx(10, abs=2)


def test_a_folder_of_classes_at_an_address(store: Any) -> None:
    dataset = load_dataset({"source": "folder", "root": "memory://bucket/set"})
    assert dataset.name == "set"
    assert dataset.counts() == {"mel": 3, "nv": 3}
