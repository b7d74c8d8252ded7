"""Labels in other words: pairs, files, findings, and what is none of the model's classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.data.task import data_task
from edgekd.errors import InputError
from edgekd.evaluation.labels import LabelMap, UnknownLabels, label_map

CLASSES = ("bkl", "mel", "nv")


def test_pairs_and_files_together(tmp_path: Path) -> None:
    file = tmp_path / "labels.map"
    file.write_text("# PH2\n\nAtypical Nevus = nv\na = b=bkl\n", encoding="utf-8-sig")
    labels = label_map(["Melanoma=mel", str(file)], ["unsure "], CLASSES)
    written = ("Melanoma", "Atypical Nevus", "a = b", "mel", "scc")
    assert [labels.of(label) for label in written] == ["mel", "nv", "bkl", "mel", "scc"]
    assert labels.drops("unsure")
    assert not labels.drops("mel")


def test_findings_are_renamed_one_by_one() -> None:
    labels = LabelMap({"HE": "haemorrhage", "A;B": "both"})
    assert labels.of("HE; drusen") == "haemorrhage; drusen"
    assert labels.of("A;B") == "both"


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["Nevus=naevus"], "'naevus', which is no class of the model"),
        (["no-such-file"], "neither LABEL=CLASS nor a file"),
        (["a=mel", "a=nv"], "mapped to 'mel' and to 'nv'"),
    ],
)
def test_mistakes(words: list[str], part: str) -> None:
    with pytest.raises(InputError, match=part) as caught:
        label_map(words, [], CLASSES)
    assert caught.value.hint


def test_a_line_of_a_file_that_is_no_pair(tmp_path: Path) -> None:
    (tmp_path / "map").write_text("Nevus nv\n")
    with pytest.raises(InputError, match="'Nevus nv', which is not LABEL=CLASS"):
        label_map([str(tmp_path / "map")], [], CLASSES)


def test_all_unknown_labels_are_listed() -> None:
    unknown = UnknownLabels(data_task("classification"), CLASSES)
    unknown.refuse(Path("t.csv"))
    for line, label in enumerate(("Common Nevus", "mel", "Melanoma", "Common Nevus"), 2):
        unknown.holds(label, label, line)
    with pytest.raises(InputError) as caught:
        unknown.refuse(Path("t.csv"))
    assert caught.value.message == (
        "line 2 of t.csv has the class 'Common Nevus', which is not among those known; 2 labels "
        "are no class of the model: 'Common Nevus' (2), 'Melanoma' (1)"
    )
    assert '--map "Common Nevus=CLASS"' in caught.value.hint
    assert '--drop "Common Nevus"' in caught.value.hint
