"""Words for parts in a column."""

from __future__ import annotations

import pytest

from edgekd.data.part_names import PartNames
from edgekd.errors import InputError


@pytest.mark.parametrize(
    ("cell", "part"),
    [
        ("train", "train"), ("Training", "train"), ("VAL", "validation"), ("dev", "validation"),
        ("Test", "test"), ("hold-out", "test"), ("train_only", "train_only"), ("", ""),
        ("NaN", ""),
    ],
)  # fmt: skip
def test_usual_words(cell: str, part: str) -> None:
    assert PartNames({}).part_of(cell) == part


def test_words_of_the_recipe_replace_those_of_their_part() -> None:
    names = PartNames({"test": ["0"], "train": ["1", "2"]})
    assert [names.part_of(cell) for cell in ("0.0", "1", "2", "val")] == [
        "test", "train", "train", "validation",
    ]  # fmt: skip
    with pytest.raises(InputError, match="the part 'test', which is none of") as caught:
        names.part_of("test")
    assert "data.split_names" in caught.value.hint
