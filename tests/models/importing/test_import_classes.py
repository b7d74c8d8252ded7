from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.errors import InputError
from edgekd.models.card import OutputCard
from edgekd.models.importing.classes import (
    classes_after,
    mapped,
    mapping_notes,
    read_classes,
    read_mapping,
)


@pytest.mark.parametrize(
    "text",
    ["nv\nmel\n\nCommon Nevus\n", '["nv", "mel", "Common Nevus"]',
     '{"0": "nv", "1": "mel", "2": "Common Nevus"}', '{"mel": 1, "Common Nevus": 2, "nv": 0}'],
)  # fmt: skip
def test_names_in_a_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "classes.txt").write_text(f"\ufeff{text}", encoding="utf-8")
    assert read_classes(str(tmp_path / "classes.txt")) == ("nv", "mel", "Common Nevus")


def test_names_in_the_argument() -> None:
    assert read_classes("nv, mel ,bkl") == ("nv", "mel", "bkl")


@pytest.mark.parametrize(
    ("text", "words"),
    [("nv", "names 1 classes"), ("nv,,mel", "names 3 classes"), ("nv,mel,nv", "is there twice")],
)
def test_lists_that_are_none(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_classes(text)


@pytest.mark.parametrize("text", ['{"1": "a", "2": "b"}', '{"a": 0, "b": 0}', "[", '{"a": "b"}'])
def test_files_that_number_no_classes(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(InputError, match=r"c\.json"):
        read_classes(str(tmp_path / "c.json"))


def test_a_mapping_in_arguments_and_files(tmp_path: Path) -> None:
    (tmp_path / "map.txt").write_text("Common Nevus = nv\nother=\n")
    (tmp_path / "map.json").write_text('{"scc": "bcc"}')
    mapping = read_mapping(["a=b", str(tmp_path / "map.txt"), str(tmp_path / "map.json")])
    assert mapping == {"a": "b", "Common Nevus": "nv", "other": "", "scc": "bcc"}


@pytest.mark.parametrize(("texts", "words"), [(["a"], "form NAME=CLASS"), (["a=b", "a=c"], "two")])
def test_mappings_that_are_none(texts: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_mapping(texts)


def test_sums_and_drops_are_reported_and_the_order_is_that_of_the_outputs() -> None:
    names = ("other", "nevus", "mel", "naevus")
    card = OutputCard(
        names=names, classes=mapped(names, {"nevus": "nv", "naevus": "nv", "other": ""})
    )
    assert classes_after(card) == ("nv", "mel")
    assert mapping_notes(card) == [
        "nv is the sum of nevus, naevus",
        "dropped: other; their probability goes to the others",
    ]
    assert not card.plain


def test_a_mapping_of_unknown_names_or_to_one_class_is_refused() -> None:
    with pytest.raises(InputError, match="none of the network's outputs"):
        mapped(("a", "b"), {"c": "d"})
    with pytest.raises(InputError, match="fewer than two"):
        mapped(("a", "b"), {"b": "a"})
