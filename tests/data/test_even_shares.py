"""Images for training alone, weighed so that every class has the same share of them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekd.data import Dataset, Sample, Split, dataset_of, split_dataset
from edgekd.data.even_shares import with_even_shares
from edgekd.data.part_names import TRAIN_ONLY
from edgekd.errors import InputError
from edgekd.recipe import SplitSection


def made(counts: dict[str, tuple[int, int]], weights: tuple[float, ...] = (1.0,)) -> Dataset:
    """Images of classes: for training alone, and others."""
    kinds = [
        (name, part)
        for name, (alone, others) in counts.items()
        for part in (TRAIN_ONLY,) * alone + ("train",) * others
    ]
    samples = [
        Sample(f"{n}.png", name, str(n), part=part, weight=weights[n % len(weights)])
        for n, (name, part) in enumerate(kinds)
    ]
    return dataset_of("made", Path(), samples)


def weighed(dataset: Dataset, parts: dict[int, str]) -> dict[str, tuple[float, float]]:
    """Weight of each class's training images: for training alone, and of the others."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for index, sample in enumerate(dataset.samples):
        if parts[index] == "train":
            sums[sample.label][sample.part != TRAIN_ONLY] += sample.weight
    return {name: (alone, others) for name, (alone, others) in sums.items()}


@given(
    st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=2, max_size=4),
    st.sampled_from([(1.0,), (1.0, 2.5), (0.5, 3.0, 1.0)]),
)
def test_every_class_has_the_same_share(
    counts: list[tuple[int, int]], weights: tuple[float, ...]
) -> None:
    dataset = made(dict(zip("abcd", counts, strict=False)), weights)
    parts = dict.fromkeys(range(len(dataset.samples)), "train")
    before, after = weighed(dataset, parts), weighed(with_even_shares(dataset, parts), parts)
    shares = {alone / (alone + others) for alone, others in after.values()}
    assert max(shares) - min(shares) < 1e-9
    assert [others for _, others in after.values()] == [others for _, others in before.values()]
    total, same = (sum(alone for alone, _ in sums.values()) for sums in (before, after))
    assert same == pytest.approx(total)


def test_what_is_not_trained_on_does_not_count() -> None:
    dataset = made({"a": (4, 4), "b": (1, 8)})
    parts = dict.fromkeys(range(len(dataset.samples)), "train")
    parts |= {0: "unused", 4: "validation", 16: "test"}  # one of each kind
    after = weighed(with_even_shares(dataset, parts), parts)
    shares = [alone / (alone + others) for alone, others in after.values()]
    assert shares == pytest.approx([4 / 14] * 2)


def test_a_class_of_one_kind_stays_as_it_is() -> None:
    dataset = made({"a": (6, 2), "b": (2, 6), "c": (0, 3), "d": (3, 0)})
    parts = dict.fromkeys(range(len(dataset.samples)), "train")
    after = weighed(with_even_shares(dataset, parts), parts)
    assert after["c"] == (0, 3)
    assert after["d"] == (3, 0)
    assert after["a"] == pytest.approx((2, 2))
    assert after["b"] == pytest.approx((6, 6))


def test_a_split_weighs_what_it_trains_on() -> None:
    dataset = made({"a": (30, 10), "b": (10, 30)})

    def split(*, even: bool) -> Split:
        section = SplitSection(validation=0.2, test=0.2, train_share=0.8, even_train_only=even)
        return split_dataset(dataset, section)

    plain, even = split(even=False), split(even=True)
    assert even.parts == plain.parts
    assert even.sha256() != plain.sha256()
    assert not plain.dataset.is_weighted
    sums = weighed(even.dataset, dict(enumerate(even.parts)))
    shares = [alone / (alone + others) for alone, others in sums.values()]
    assert shares == pytest.approx([shares[0]] * 2)


def test_without_images_for_training_alone_it_is_refused() -> None:
    dataset = made({"a": (0, 10), "b": (0, 10)})
    with pytest.raises(InputError, match="needs images that are for training alone") as caught:
        split_dataset(dataset, SplitSection(even_train_only=True))
    assert "`data.split_column`" in str(caught.value.hint)
