from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekd.data import load_dataset
from edgekd.errors import InputError


def refusal(**section: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        load_dataset(section)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


def test_synthetic_is_painted_once_and_kept(cache: Path) -> None:
    section = {"source": "synthetic", "images": 70, "size": 32, "seed": 5}
    first = load_dataset(section)
    stamps = [path.stat().st_mtime_ns for path in first.paths()]
    again = load_dataset(section)
    assert again == first
    assert [path.stat().st_mtime_ns for path in again.paths()] == stamps
    assert first.root.parent == cache / "synthetic"
    assert (first.name, first.licence) == ("synthetic-1-70-32-5", "Apache-2.0")


@pytest.mark.parametrize(("key", "value"), [("images", 69), ("size", 31), ("images", "many")])
def test_synthetic_refuses(key: str, value: Any) -> None:
    assert f"(at {key})" in refusal(source="synthetic", **{key: value}).message
