"""Labels of one class for each image."""

from __future__ import annotations

import numpy as np
import pytest

from edgekd.errors import InputError
from edgekd.tasks.classification.data import Data

CLASSES = ("mel", "nv")


def test_targets_are_class_indices() -> None:
    targets = Data().targets(["nv", "mel", "nv"], CLASSES)
    assert targets.dtype == np.int64
    assert targets.tolist() == [1, 0, 1]
    assert Data().counts(targets, CLASSES) == (1, 2)
    assert Data().strata(["nv", "mel"], CLASSES) == ["nv", "mel"]


def test_classes_are_those_listed_or_sorted() -> None:
    assert Data().classes_of(["nv", "mel"], None) == CLASSES
    assert Data().classes_of(["nv"], ("nv", "mel")) == ("nv", "mel")


def test_one_marked_column_is_the_label() -> None:
    assert Data().label_of({"mel": "0", "nv": "1"}) == "nv"


@pytest.mark.parametrize("cells", [{"mel": "1", "nv": "1"}, {"mel": "0", "nv": "0"}])
def test_another_number_of_marked_columns_is_refused(cells: dict[str, str]) -> None:
    with pytest.raises(InputError, match="not exactly one"):
        Data().label_of(cells)


def test_a_label_of_no_class_is_refused_with_the_nearest() -> None:
    problem = Data().problem_with("MEL", CLASSES)
    assert problem is not None
    assert "the class 'MEL'" in problem.phrase
    assert "did you mean 'mel'?" in problem.hint
    assert Data().problem_with("mel", CLASSES) is None
    for wrong in (Data().targets, Data().classes_of):
        with pytest.raises(InputError):
            wrong(["bcc"], CLASSES)
