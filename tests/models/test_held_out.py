"""Whether a network was made without the images that another one is judged on."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from edgekd.data import Split
from edgekd.data.dataset import Sample, dataset_of
from edgekd.data.split import write_split
from edgekd.models import ModelCard
from edgekd.models.card import SPLIT
from edgekd.models.held_out import holds_out_the_same

CLASSES = ("a", "b")
JUDGED = {"v1": "validation", "v2": "validation", "t1": "test"}


def split_of(parts: dict[str, str], folder: str = "images") -> Split:
    """Lesions by part; each has two images."""
    rows = [(f"{folder}/{name}-{n}.jpg", name) for name in parts for n in range(2)]
    samples = [Sample(image, "a", name) for image, name in rows]
    dataset = dataset_of("mine", Path(), samples, classes=CLASSES, task="classification")
    return Split(dataset, tuple(parts[name] for _, name in rows))


@pytest.fixture
def same(tmp_path):
    """Whether a network of one split is of the same parts as another split."""

    def asked(own: Split, other: Split, *, written: str | None = None) -> bool:
        data = SimpleNamespace(name="mine", root="", sha256=own.sha256())
        facts = SimpleNamespace(data=data, classes=CLASSES, task="classification", imported=None)
        text = write_split(own) if written is None else written
        if text:
            (tmp_path / SPLIT).write_text(text)
        return holds_out_the_same(tmp_path, cast(ModelCard, facts), other)

    return asked


STUDENT = split_of({**JUDGED, "x1": "train", "x2": "train"})


@pytest.mark.parametrize(
    ("parts", "answer"),
    [
        ({**JUDGED, "x1": "train", "x2": "train"}, True),  # in another folder
        ({**JUDGED, "x1": "train"}, True),
        ({**JUDGED, "x1": "train", "x3": "train"}, True),
        ({**JUDGED, "t2": "test", "x1": "train"}, True),
        ({**JUDGED, "t1": "train", "x1": "train"}, False),
        ({**JUDGED, "v1": "train", "x1": "train"}, False),
        ({**JUDGED, "t1": "validation", "x1": "train"}, False),  # chose its epoch by it
        ({"v1": "validation", "v2": "validation", "x1": "train"}, False),  # not known of t1
        ({**JUDGED, "v2": "unused", "x1": "train"}, False),
    ],
)
def test_each_judged_lesion_must_be_in_the_same_part(same, parts, answer):
    assert same(split_of(parts, "elsewhere"), STUDENT) == answer


def test_images_that_are_not_used_count_for_nothing(same):
    """Of a lesion that is judged, further images are left out."""
    rows = [Sample("images/t1-2.jpg", "a", "t1"), *STUDENT.dataset.samples]
    more = dataset_of("mine", Path(), rows, classes=CLASSES, task="classification")
    own = Split(more, ("unused", *STUDENT.parts))
    assert same(own, STUDENT)
    assert same(STUDENT, own)


def test_a_lesion_in_two_parts_is_one_that_was_trained_on(same):
    rows = [Sample("images/t1-2.jpg", "a", "t1"), *STUDENT.dataset.samples]
    more = dataset_of("mine", Path(), rows, classes=CLASSES, task="classification")
    assert not same(Split(more, ("train", *STUDENT.parts)), STUDENT)


def test_without_a_list_of_its_images_nothing_is_taken_for_granted(same):
    own = split_of({**JUDGED, "x1": "train"})
    assert not same(own, STUDENT, written="")
    assert same(STUDENT, STUDENT, written="")  # the hash says it


def test_a_list_that_is_not_its_own_says_nothing(same):
    own = split_of({**JUDGED, "t1": "train", "x1": "train"})
    assert not same(own, STUDENT, written=write_split(STUDENT))
    assert not same(own, STUDENT, written="image,label\n")
