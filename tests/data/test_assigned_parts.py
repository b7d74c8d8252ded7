"""Official splits: parts that a table gives, and those that are drawn beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from edgekd.data import Dataset, Sample, Split, dataset_of, split_dataset
from edgekd.errors import InputError
from edgekd.recipe import SplitSection


def made(parts: Sequence[str], groups: Sequence[str] | None = None) -> Dataset:
    """Images of two classes by turns, with the parts that their table gives them."""
    names = groups or [str(n) for n in range(len(parts))]
    samples = [
        Sample(f"{n}.png", "ab"[n % 2], group, part=part)
        for n, (part, group) in enumerate(zip(parts, names, strict=True))
    ]
    return dataset_of("made", Path(), samples)


def counts(split: Split) -> dict[str, int]:
    return {part: number for part, number in split.counts().items() if number}


def test_a_complete_official_split_stays_as_it_is() -> None:
    parts = ["train", "test", "validation", "train", "test", "validation"]
    split = split_dataset(made(parts), SplitSection())
    assert list(split.parts) == parts
    assert split.dataset.notes == ()


@pytest.mark.parametrize("absent", ["validation", "test"])
def test_an_absent_part_is_drawn_from_training_by_group(absent: str) -> None:
    other = {"validation": "test", "test": "validation"}[absent]
    parts = ["train"] * 80 + [other] * 20
    split = split_dataset(made(parts, [str(n // 2) for n in range(100)]), SplitSection())
    assert set(split.parts[80:]) == {other}
    drawn = Counter(split.parts[:80])
    assert set(drawn) == {"train", absent}
    assert 10 <= drawn[absent] <= 18
    assert all(split.parts[n] == split.parts[n + 1] for n in range(0, 80, 2))
    assert split.dataset.notes == (f"{absent} drawn from the 80 rows to train on",)


def test_absent_parts_are_drawn_from_rows_without_a_part() -> None:
    split = split_dataset(made(["train"] * 20 + [""] * 80), SplitSection())
    assert set(split.parts[:20]) == {"train"}
    assert set(split.parts[20:]) == {"train", "validation", "test"}
    assert split.dataset.notes == ("test and validation drawn from the 80 rows without a part",)


def test_a_row_without_a_part_follows_its_group() -> None:
    parts = ["test", "", "train", "", "validation", "validation", "train", "test"]
    groups = ["A", "A", "B", "B", "C", "D", "E", "F"]
    split = split_dataset(made(parts, groups), SplitSection())
    assert split.parts[:4] == ("test", "test", "train", "train")


def test_a_group_in_two_parts_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        split_dataset(made(["train", "test", "test", "train"], list("PPQQ")), SplitSection())
    assert caught.value.message == (
        "the lesion or patient 'P' is in train and test by the table, and so are 1 more"
    )
    assert "data.split_column" in caught.value.hint


def test_folds_of_a_given_test_part_are_refused() -> None:
    with pytest.raises(InputError, match="which folds would replace"):
        split_dataset(made(["train", "test"] * 4), SplitSection(folds=2))


def test_rows_for_training_alone_follow_the_lesions_that_are_trained_on() -> None:
    """The split of the other rows is that of a table without them."""
    lesions = [f"L{n}" for n in range(60)]
    plain = split_dataset(made([""] * 60, lesions), SplitSection(seed=5))
    assert len(counts(plain)) == 3
    further = made([""] * 60 + ["train_only"] * 60, lesions + lesions)
    split = split_dataset(further, SplitSection(seed=5))
    assert split.parts[:60] == plain.parts
    follows = ["train" if part == "train" else "unused" for part in plain.parts]
    assert list(split.parts[60:]) == follows
    assert (
        f"{follows.count('unused')} images for training alone left out" in split.dataset.notes[-1]
    )


def test_a_row_for_training_alone_of_a_lesion_of_its_own_is_trained_on() -> None:
    split = split_dataset(made(["train", "validation", "test", "train_only"]), SplitSection())
    assert split.parts == ("train", "validation", "test", "train")


def test_a_share_of_training_leaves_out_given_rows_and_those_for_training_alone() -> None:
    lesions = [f"L{n}" for n in range(40)]
    made_of = made(["train"] * 40 + ["train_only"] * 40, lesions + lesions)
    split = split_dataset(made_of, SplitSection(train_share=0.25))
    counted = counts(split_dataset(made_of, SplitSection()))
    assert 0 < split.counts()["train"] <= 0.3 * counted["train"]
    for first, second in zip(split.parts[:40], split.parts[40:], strict=True):
        assert (first == "train") == (second == "train")
