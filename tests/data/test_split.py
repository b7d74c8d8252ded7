from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st

from edgekd.data import (
    PARTS,
    Dataset,
    Sample,
    Split,
    dataset_of,
    load_dataset,
    read_split,
    split_dataset,
    write_split,
)
from edgekd.errors import InputError
from edgekd.recipe import SplitSection, convert


def make_dataset(groups: dict[str, list[int]]) -> Dataset:
    """Groups by class, each given as its number of images, in an order that mixes them."""
    samples = [
        Sample(f"{name}-{number}-{image}.png", name, f"{name}-{number}")
        for name, sizes in groups.items()
        for number, size in enumerate(sizes)
        for image in range(size)
    ]
    order = np.random.default_rng(0).permutation(len(samples))
    return dataset_of("made", Path("root"), [samples[place] for place in order])


def parts_of_groups(split: Split) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for sample, part in zip(split.dataset.samples, split.parts, strict=True):
        found[sample.group].add(part)
    return found


def parts_of_classes(split: Split) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for sample, part in zip(split.dataset.samples, split.parts, strict=True):
        found[sample.label].add(part)
    return found


BIG = make_dataset({"mel": [1, 2, 1, 3] * 40, "nv": [1] * 500, "df": [2, 1] * 20})


def test_every_image_is_in_one_part() -> None:
    split = split_dataset(BIG, SplitSection())
    assert set(split.parts) == set(PARTS)
    indices = [index for part in PARTS for index in split.indices(part)]
    assert sorted(indices) == list(range(len(BIG.samples)))
    assert split.counts() == {part: len(split.indices(part)) for part in PARTS}


def test_no_group_is_in_two_parts() -> None:
    split = split_dataset(BIG, SplitSection())
    assert all(len(parts) == 1 for parts in parts_of_groups(split).values())


@pytest.mark.parametrize(("validation", "test"), [(0.15, 0.2), (0.1, 0.1), (0.3, 0.4)])
def test_shares_hold_within_each_class(validation: float, test: float) -> None:
    split = split_dataset(BIG, SplitSection(validation=validation, test=test))
    pairs = list(zip(split.dataset.targets().tolist(), split.parts, strict=True))
    for index, count in enumerate(BIG.counts().values()):
        parts = [part for label, part in pairs if label == index]
        assert parts.count("test") / count == pytest.approx(test, abs=0.03)
        assert parts.count("validation") / count == pytest.approx(validation, abs=0.03)


def test_split_is_deterministic_and_follows_its_seed() -> None:
    one, again = (split_dataset(BIG, SplitSection(seed=1)) for _ in range(2))
    other = split_dataset(BIG, SplitSection(seed=2))
    assert one == again
    assert one.parts != other.parts
    assert len({one.sha256(), again.sha256(), other.sha256()}) == 2


def test_split_of_a_seed_never_changes() -> None:
    """Else a new edgekd would test a student on images that its teacher was trained on."""
    assert split_dataset(BIG, SplitSection(seed=1)).sha256() == (
        "049af67d9759a633ad876aa5feb9e55a1ec5a9dfc7874801904daf63d77f236f"
    )


@pytest.mark.parametrize("part", ["test", "validation"])
def test_part_that_is_not_asked_for_stays_empty(part: str) -> None:
    section = SplitSection(**{part: 0.0})
    split = split_dataset(BIG, section)
    assert split.counts()[part] == 0
    assert min(count for name, count in split.counts().items() if name != part) > 0


def test_class_of_three_groups_is_in_all_parts() -> None:
    dataset = make_dataset({"rare": [1, 1, 1], "mel": [1] * 30})
    for seed in range(20):
        split = split_dataset(dataset, SplitSection(seed=seed))
        assert parts_of_classes(split)["rare"] == set(PARTS)


def test_class_of_three_uneven_groups_is_in_all_parts() -> None:
    dataset = make_dataset({"rare": [1, 1, 98], "mel": [1] * 30})
    for seed in range(20):
        split = split_dataset(dataset, SplitSection(seed=seed))
        assert parts_of_classes(split)["rare"] == set(PARTS)


def test_large_shares_leave_training_images_of_every_class() -> None:
    dataset = make_dataset({"rare": [1, 1, 1, 1], "mel": [1] * 30})
    split = split_dataset(dataset, SplitSection(validation=0.45, test=0.45))
    assert parts_of_classes(split)["rare"] == set(PARTS)


def test_class_of_two_groups_is_trained_on() -> None:
    split = split_dataset(make_dataset({"rare": [4, 4], "mel": [1] * 30}), SplitSection())
    assert parts_of_classes(split)["rare"] == {"train"}


def test_shares_that_leave_nothing_to_train_on() -> None:
    with pytest.raises(InputError, match="leave too little to train on"):
        split_dataset(BIG, SplitSection(validation=0.5, test=0.45))


def test_group_of_several_labels_stays_together() -> None:
    samples = [Sample(f"{n}.png", "ab"[n % 2], f"g{n // 3}") for n in range(60)]
    split = split_dataset(dataset_of("mixed", Path(), samples), SplitSection())
    assert all(len(parts) == 1 for parts in parts_of_groups(split).values())
    assert set(split.parts) == set(PARTS)


CLASSES = st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=12), min_size=2, max_size=5)
SHARES = st.sampled_from([0.05, 0.15, 0.2, 0.3, 0.45])


@fuzz(200)
@given(sizes=CLASSES, validation=SHARES, test=SHARES, seed=st.integers(0, 5))
def test_any_groups(sizes: list[list[int]], validation: float, test: float, seed: int) -> None:
    dataset = make_dataset({f"c{number}": groups for number, groups in enumerate(sizes)})
    split = split_dataset(dataset, SplitSection(validation=validation, test=test, seed=seed))
    assert all(len(parts) == 1 for parts in parts_of_groups(split).values())
    for number, groups in enumerate(sizes):
        parts = parts_of_classes(split)[f"c{number}"]
        assert parts == (set(PARTS) if len(groups) >= 3 else {"train"})


def test_round_trip(painted: Path, tmp_path: Path) -> None:
    dataset = load_dataset({"source": "ham10000", "root": str(painted)})
    split = split_dataset(dataset, SplitSection(seed=4))
    file = tmp_path / "split.csv"
    file.write_text(write_split(split), encoding="utf-8")
    again = read_split(file, painted, name="ham10000", classes=dataset.classes)
    assert again.parts == split.parts
    assert again.sha256() == split.sha256()
    assert again.dataset.paths() == dataset.paths()
    assert again.dataset.targets().tolist() == dataset.targets().tolist()
    assert write_split(again) == write_split(split)


def test_round_trip_of_awkward_names(tmp_path: Path, draw: Any) -> None:
    names = ['a,b "c".png', " d.png", "ü\u2028.png"]
    for name in names:
        draw(tmp_path / name, 0)
    samples = [Sample(name, f"l,{n % 2}", 'g"') for n, name in enumerate(names)]
    split = Split(dataset_of("x", tmp_path, samples), ("train", "test", "validation"))
    (tmp_path / "split.csv").write_text(write_split(split), encoding="utf-8")
    again = read_split(tmp_path / "split.csv", tmp_path, name="x", classes=split.dataset.classes)
    assert again == split


def test_hash_sees_images_labels_parts_and_class_order() -> None:
    samples = (Sample("1.png", "a", "1"), Sample("2.png", "b", "2"))

    def sha(samples: tuple[Sample, ...], parts: tuple[str, ...], classes: tuple[str, ...]) -> str:
        return Split(dataset_of("x", Path(), samples, classes=classes), parts).sha256()

    hashes = {
        sha(samples, ("train", "test"), ("a", "b")),
        sha(samples, ("test", "train"), ("a", "b")),
        sha(samples, ("train", "test"), ("b", "a")),
        sha(samples[::-1], ("train", "test"), ("a", "b")),
        sha((samples[0], Sample("3.png", "b", "2")), ("train", "test"), ("a", "b")),
        sha((samples[0], Sample("2.png", "a", "2")), ("train", "test"), ("a", "b")),
    }
    assert len(hashes) == 6


def test_images_that_moved_are_asked_for(painted: Path, tmp_path: Path) -> None:
    dataset = load_dataset({"source": "ham10000", "root": str(painted)})
    file = tmp_path / "split.csv"
    file.write_text(write_split(split_dataset(dataset, SplitSection())), encoding="utf-8")
    with pytest.raises(InputError, match=r"not at .* any more") as caught:
        read_split(file, tmp_path, name="ham10000", classes=dataset.classes)
    assert "--data-root" in caught.value.hint


def test_split_file_that_is_missing_or_no_split(tmp_path: Path) -> None:
    file = tmp_path / "split.csv"
    with pytest.raises(InputError, match="does not exist"):
        read_split(file, tmp_path, name="x", classes=("a", "b"))
    file.write_text("image,label,group\na.png,a,1\n", encoding="utf-8")
    with pytest.raises(InputError, match="no column 'part'"):
        read_split(file, tmp_path, name="x", classes=("a", "b"))


# Folds -----------------------------------------------------------------------------------------


def in_folds(dataset: Dataset, folds: int, **keys: Any) -> list[Split]:
    return [
        split_dataset(dataset, SplitSection(folds=folds, fold=fold, **keys))
        for fold in range(folds)
    ]


@given(
    sizes=st.dictionaries(
        st.sampled_from(["a", "b", "c", "d"]),
        st.lists(st.integers(1, 4), min_size=1, max_size=20),
        min_size=2,
    ),
    folds=st.integers(2, 6),
    seed=st.integers(0, 3),
)
@fuzz(60)
def test_every_image_is_tested_once_and_no_group_is_torn(
    sizes: dict[str, list[int]], folds: int, seed: int
) -> None:
    dataset = make_dataset(sizes)
    splits = in_folds(dataset, folds, seed=seed, validation=0.2)
    tested = [index for split in splits for index in split.indices("test")]
    assert sorted(tested) == list(range(len(dataset.samples)))
    for split in splits:
        assert all(len(parts) == 1 for parts in parts_of_groups(split).values())


def test_folds_are_stratified_and_even() -> None:
    splits = in_folds(BIG, 5)
    for name, total in BIG.counts().items():
        each = [
            sum(BIG.samples[index].label == name for index in split.indices("test"))
            for split in splits
        ]
        assert max(each) - min(each) <= 3  # the largest group
        assert sum(each) == total
    sizes = [split.counts()["test"] for split in splits]
    assert max(sizes) - min(sizes) <= 3
    for split in splits:
        assert all(parts == set(PARTS) for parts in parts_of_classes(split).values())
        left = len(BIG.samples) - split.counts()["test"]
        assert split.counts()["validation"] / left == pytest.approx(0.15, abs=0.02)


def test_rare_classes_do_not_all_fall_to_the_first_fold() -> None:
    dataset = make_dataset({name: [1, 1] for name in "abcdefgh"})
    sizes = [split.counts()["test"] for split in in_folds(dataset, 4)]
    assert sizes == [4, 4, 4, 4]


def test_folds_have_a_seed() -> None:
    first, again, other = (
        split_dataset(BIG, SplitSection(folds=5, fold=2, seed=seed)) for seed in (0, 0, 1)
    )
    assert first.parts == again.parts != other.parts


@pytest.mark.parametrize(("folds", "fold"), [(1, 0), (0, 1), (5, 5)])
def test_a_fold_that_is_none(folds: int, fold: int) -> None:
    with pytest.raises(InputError, match=f"no fold {fold} of {folds}"):
        convert({"folds": folds, "fold": fold}, SplitSection, "the section")


def test_folds_beyond_counting_are_refused() -> None:
    with pytest.raises(InputError, match="<= 1000"):
        convert({"folds": 1_000_000_000}, SplitSection, "the section")


def test_round_trip_of_weights(tmp_path: Path, draw: Any) -> None:
    samples = [Sample(f"{n}.png", "ab"[n % 2], str(n), weight=0.5 * n) for n in range(3)]
    for sample in samples:
        draw(tmp_path / sample.image, 0)
    split = Split(dataset_of("x", tmp_path, samples), ("train", "test", "validation"))
    file = tmp_path / "split.csv"
    file.write_text(write_split(split), encoding="utf-8")
    again = read_split(file, tmp_path, name="x", classes=("a", "b"))
    assert [sample.weight for sample in again.dataset.samples] == [0.0, 0.5, 1.0]
    assert again.sha256() == split.sha256()


def trained_groups(split: Split) -> set[str]:
    return {split.dataset.samples[index].group for index in split.indices("train")}


@pytest.mark.parametrize("folds", [0, 5])
def test_a_share_of_the_training_part_leaves_the_other_parts_alone(folds: int) -> None:
    whole = split_dataset(BIG, SplitSection(folds=folds))
    small, larger = (
        split_dataset(BIG, SplitSection(folds=folds, train_share=share)) for share in (0.1, 0.3)
    )
    for split in (small, larger):
        for part in ("validation", "test"):
            assert split.indices(part) == whole.indices(part)
    assert trained_groups(small) < trained_groups(larger) < trained_groups(whole)
    assert len({whole.sha256(), larger.sha256(), small.sha256()}) == 3


def test_a_share_holds_within_each_class_and_splits_no_group() -> None:
    whole, small = (split_dataset(BIG, SplitSection(train_share=share)) for share in (1.0, 0.1))
    for name in BIG.classes:
        before, after = (
            {group for group in trained_groups(split) if group.startswith(name)}
            for split in (whole, small)
        )
        assert len(after) == round(0.1 * len(before))
    assert all(len(parts) == 1 for parts in parts_of_groups(small).values())
    assert not set(small.indices("train")) & set(small.indices("test"))


def test_the_least_share_keeps_one_group_of_each_class() -> None:
    split = split_dataset(BIG, SplitSection(train_share=1e-6))
    assert len(trained_groups(split)) == len(BIG.classes)


def test_a_share_that_is_left_out_is_written_and_read(tmp_path: Path) -> None:
    split = split_dataset(BIG, SplitSection(train_share=0.1))
    (tmp_path / "split.csv").write_text(write_split(split), encoding="utf-8")
    for sample in BIG.samples:
        (tmp_path / sample.image).touch()
    again = read_split(tmp_path / "split.csv", tmp_path, name="made", classes=BIG.classes)
    assert again.indices("train") == split.indices("train")
    assert again.sha256() == split.sha256()
    assert sum(split.counts().values()) < len(BIG.samples)
