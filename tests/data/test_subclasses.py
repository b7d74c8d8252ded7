"""Merged classes and their subclasses: from labels, a column, a file, annotators' votes."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgekd.data import load_dataset, read_split, split_dataset, write_split
from edgekd.data.inspection import inspect_split
from edgekd.errors import InputError
from edgekd.recipe import SplitSection

BINARY = {"benign": ["bkl", "df", "nv", "vasc"], "malignant": ["akiec", "bcc", "mel"]}
Make = Callable[..., dict[str, Any]]


@pytest.fixture
def ham(painted: Path) -> Make:
    return lambda **more: {"source": "ham10000", "root": str(painted), **more}


@pytest.fixture
def polyps(tmp_path: Path, draw: Any) -> Make:
    """The layout of MHIST: seven annotators chose SSA or HP."""
    rows = [(f"{votes}{copy}", votes) for votes in range(8) for copy in "ab"]
    with (tmp_path / "polyps.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("Image Name", "Majority Vote Label", "Votes"))
        for name, votes in rows:
            draw(tmp_path / f"{name}.png", 20 * votes)
            writer.writerow((f"{name}.png", "SSA" if votes > 3 else "HP", votes))
    section = {
        "source": "csv", "file": str(tmp_path / "polyps.csv"), "image_column": "Image Name",
        "label_column": "Majority Vote Label",
    }  # fmt: skip
    return lambda **votes: section | {"subclasses": {"votes": {"column": "Votes", **votes}}}


def test_merged_classes_keep_their_diagnoses(ham: Make) -> None:
    plain, merged = load_dataset(ham()), load_dataset(ham(merge=BINARY, subclasses="label"))
    assert merged.classes == ("benign", "malignant")
    assert merged.subclasses == {name: tuple(sorted(members)) for name, members in BINARY.items()}
    assert merged.subclass_of == (0, 0, 0, 0, 1, 1, 1)
    names = [one for members in merged.subclasses.values() for one in members]
    for before, after, label, subclass in zip(
        plain.samples, merged.samples, merged.targets(), merged.subclass_labels(), strict=True
    ):
        assert (after.image, after.group) == (before.image, before.group)
        assert after.subclass == before.label == names[subclass]
        assert merged.subclass_of[subclass] == label


def test_merging_alone_divides_nothing(ham: Make) -> None:
    merged = load_dataset(ham(merge=BINARY))
    assert merged.classes == ("benign", "malignant")
    assert (merged.subclasses, merged.subclass_of, merged.subclass_labels()) == ({}, (), [])


def test_labels_are_those_of_the_source_without_either(ham: Make, painted: Path) -> None:
    split = split_dataset(load_dataset(ham()), SplitSection())
    assert "subclass" not in write_split(split).splitlines()[0]
    assert split.dataset.subclasses == {}


@pytest.mark.parametrize("column", ["dx_type", "localization"])
def test_a_column_divides_each_class_on_its_own(ham: Make, column: str) -> None:
    found = load_dataset(ham(subclasses={"column": column}))
    assert list(found.subclasses) == list(found.classes)
    assert all(sample.subclass == sample.columns[column] for sample in found.samples)
    assert len(found.subclass_of) == sum(map(len, found.subclasses.values()))


def test_values_taken_together_and_rare_ones(ham: Make) -> None:
    whole = load_dataset(ham(subclasses={"column": "localization"}))
    value = whole.samples[0].columns["localization"]
    section = {"column": "localization", "together": {"here": [value]}, "least": 4}
    found = load_dataset(ham(subclasses=section))
    counts = Counter((sample.label, sample.subclass) for sample in found.samples)
    assert all(n >= 4 for (_, name), n in counts.items() if name != "other")
    before = Counter((sample.label, sample.subclass) for sample in whole.samples)
    assert min(before.values()) < 4
    kept = {name for _, name in counts} - {"other", "here"}
    assert kept <= {name for _, name in before} - {value}


def test_a_file_by_any_way_of_naming_the_image(ham: Make, tmp_path: Path) -> None:
    samples = load_dataset(ham()).samples
    ways = (lambda p: p.as_posix(), lambda p: p.name, lambda p: p.stem)
    lines = [
        f"{ways[index % 3](Path(sample.image))},{'odd' if index % 2 else 'even'}"
        for index, sample in enumerate(samples)
    ]
    file = tmp_path / "finer.csv"
    file.write_text("\n".join(["image,subclass", *lines]), encoding="utf-8")
    found = load_dataset(ham(merge=BINARY, subclasses={"file": str(file)}))
    assert [sample.subclass for sample in found.samples[:3]] == ["even", "odd", "even"]
    file.write_text("\n".join(["image,subclass", *lines[1:]]), encoding="utf-8")
    with pytest.raises(InputError, match="has no subclass for the image"):
        load_dataset(ham(subclasses={"file": str(file)}))


def test_votes_of_annotators(polyps: Make) -> None:
    found = load_dataset(polyps(of=7, positive="SSA"))
    levels = ("4 of 7", "5 of 7", "6 of 7", "7 of 7")
    assert found.subclasses == {"HP": levels, "SSA": levels}
    by_vote = {sample.columns["Votes"]: sample.subclass for sample in found.samples}
    assert (by_vote["0"], by_vote["3"], by_vote["4"], by_vote["7"]) == (
        "7 of 7", "4 of 7", "4 of 7", "7 of 7",
    )  # fmt: skip
    coarse = load_dataset(polyps(of=7, levels={"easy": [6, 7], "hard": [4, 5]}))
    assert coarse.subclasses == {"HP": ("easy", "hard"), "SSA": ("easy", "hard")}
    assert {s.columns["Votes"] for s in coarse.samples if s.subclass == "easy"} == set("0167")


@pytest.mark.parametrize(
    ("votes", "said"),
    [
        ({"of": 6}, "not 0 to 6 votes"),
        ({"of": 7, "positive": "HP"}, "of 7 chose 'HP'"),
        ({"of": 7, "levels": {"easy": [6, 7]}}, "no level for a majority of"),
    ],
)
def test_votes_that_cannot_be(polyps: Make, votes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_dataset(polyps(**votes))


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"merge": {"a": ["mel"], "b": ["nv"]}}, "name each class of ham10000 once"),
        ({"merge": BINARY | {"c": ["mel"]}}, "not so 'mel'"),
        ({"merge": BINARY | {"c": ["melanoma"]}}, "not so 'melanoma'"),
        ({"subclasses": {"column": "site"}}, "no value of 'site'"),
        ({"subclasses": {}}, "exactly one of column, file and votes"),
        ({"subclasses": {"column": "dx_type", "file": "x.csv"}}, "exactly one of"),
        ({"subclasses": {"column": "dx_type", "leest": 3}}, "unknown key 'subclasses.leest'"),
        ({"subclasses": "dx_type"}, "dx_type"),
        ({"subclasses": {"file": "nowhere.csv"}}, "does not exist"),
    ],
)
def test_mistakes(ham: Make, section: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        load_dataset(ham(**section))
    assert said in caught.value.message
    assert caught.value.hint


def test_a_split_is_stratified_by_subclass(ham: Make) -> None:
    dataset = load_dataset(ham(merge=BINARY, subclasses="label"))
    split = split_dataset(dataset, SplitSection(validation=0.2, test=0.2))
    lesions = {s.subclass: set() for s in dataset.samples}
    for sample in dataset.samples:
        lesions[sample.subclass].add(sample.group)
    for part in ("train", "validation", "test"):
        there = {dataset.samples[index].subclass for index in split.indices(part)}
        assert there >= {name for name, groups in lesions.items() if len(groups) >= 3}


def test_inspection_counts_subclasses(ham: Make) -> None:
    split = split_dataset(load_dataset(ham(merge=BINARY, subclasses="label")), SplitSection())
    found = inspect_split(split, 32)
    for name, parts in found.images.items():
        summed = Counter[str]()
        for counts in found.subclasses[name].values():
            summed.update(counts)
        assert dict(summed) == parts
    lines = [line.split() for line in found.text().splitlines()]
    assert ["mel", *map(str, found.subclasses["malignant"]["mel"].values())] in lines


def test_a_written_split_reads_back_with_its_hash(ham: Make, tmp_path: Path) -> None:
    dataset = load_dataset(ham(merge=BINARY, subclasses="label"))
    split = split_dataset(dataset, SplitSection())
    file = tmp_path / "split.csv"
    file.write_text(write_split(split), encoding="utf-8")
    again = read_split(file, dataset.root, name=dataset.name, classes=dataset.classes)
    assert again.sha256() == split.sha256()
    assert again.dataset.subclasses == dataset.subclasses
    assert again.dataset.subclass_labels() == dataset.subclass_labels()


def test_other_subclasses_are_another_split(ham: Make) -> None:
    one = split_dataset(load_dataset(ham(subclasses={"column": "dx_type"})), SplitSection())
    other = split_dataset(load_dataset(ham(subclasses={"column": "localization"})), SplitSection())
    assert one.sha256() != other.sha256()
