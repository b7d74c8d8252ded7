"""Drawing parts for some of the samples; `test_split` has the rules of the whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.data import Dataset, Sample, dataset_of
from edgekd.data.drawing import draw_parts
from edgekd.errors import InputError
from edgekd.recipe import SplitSection


def dataset(count: int) -> Dataset:
    samples = [Sample(f"{n}.png", "ab"[n % 2], f"g{n // 2}") for n in range(count)]
    return dataset_of("made", Path(), samples)


def test_samples_that_are_not_drawn_do_not_change_the_others() -> None:
    alone = draw_parts(dataset(60), range(60), SplitSection(seed=3))
    among = draw_parts(dataset(90), range(60), SplitSection(seed=3))
    assert alone == among
    assert set(alone.values()) == {"train", "validation", "test"}


@pytest.mark.parametrize("absent", [(), ("test",), ("validation",)])
def test_parts_that_are_not_absent_are_not_drawn(absent: tuple[str, ...]) -> None:
    drawn = draw_parts(dataset(60), range(60), SplitSection(), absent)
    assert set(drawn.values()) == {"train", *absent}


def test_shares_are_those_of_the_parts_that_are_drawn() -> None:
    section = SplitSection(validation=0.5, test=0.5)
    with pytest.raises(InputError, match="leave too little"):
        draw_parts(dataset(60), range(60), section)
    assert set(draw_parts(dataset(60), range(60), section, ["test"]).values()) == {"train", "test"}
