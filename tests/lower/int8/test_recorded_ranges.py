"""Ranges as a file instead of the images that they were measured on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekd.errors import ArtefactError
from edgekd.lower.int8.recorded_ranges import RecordedRanges

RANGES = RecordedRanges(
    {
        "z;of a/scope:1": (np.float32(-1.5), np.float32(2.25)),
        "a": (np.zeros((1, 1, 1, 1), np.float32), np.full((1, 1, 1, 1), 6, np.float32)),
        "channels": (np.arange(3, dtype=np.float32), np.arange(3, 6).astype(np.float32)),
    },
    images=96,
    means={"stem": np.array([0.5, -1.25], np.float32), "head": np.zeros(0, np.float32)},
)


def test_ranges_come_back_with_order_shape_and_every_bit(tmp_path: Path) -> None:
    RANGES.save(tmp_path / "ranges.safetensors")
    loaded = RecordedRanges.load(tmp_path / "ranges.safetensors")
    assert loaded.images == 96
    assert list(loaded.tensors) == list(RANGES.tensors)
    for name, extremes in RANGES.tensors.items():
        for before, after in zip(extremes, loaded.tensors[name], strict=True):
            assert (before.shape, before.dtype) == (after.shape, after.dtype)
            assert before.tobytes() == after.tobytes()
    assert list(loaded.means) == list(RANGES.means)
    for name, mean in RANGES.means.items():
        assert mean.tobytes() == loaded.means[name].tobytes()


def test_the_same_ranges_are_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        RANGES.save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("damage", ["absent", "empty", "cut", "another kind"])
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "ranges.safetensors"
    RANGES.save(file)
    content = file.read_bytes()
    file.unlink()
    if damage == "another kind":
        from safetensors.numpy import save

        file.write_bytes(save({"weight": np.zeros(3, np.float32)}))
    elif damage != "absent":
        file.write_bytes(b"" if damage == "empty" else content[:-3])
    with pytest.raises(ArtefactError, match="cannot be read"):
        RecordedRanges.load(file)
