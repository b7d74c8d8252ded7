"""A data set without images."""

from __future__ import annotations

import pytest

from edgekd.data import Split, load_dataset, split_dataset
from edgekd.errors import InputError
from edgekd.recipe import SplitSection


def test_it_has_classes_alone():
    dataset = load_dataset({"source": "none", "classes": ["b", "a"], "ordered": True})
    assert dataset.classes == ("b", "a")
    assert dataset.ordered
    assert not dataset.has_images
    split = split_dataset(dataset, SplitSection())
    assert split == Split(dataset, ())
    assert split.counts() == {"train": 0, "validation": 0, "test": 0}


@pytest.mark.parametrize("classes", [["a"], ["a", "a", "b"]])
def test_too_few_classes_or_one_twice_are_refused(classes):
    with pytest.raises(InputError, match="2 different ones are needed"):
        load_dataset({"source": "none", "classes": classes})


def test_classes_have_to_be_named():
    with pytest.raises(InputError, match="classes"):
        load_dataset({"source": "none"})
