from __future__ import annotations

import pytest

from edgekd.errors import InputError
from edgekd.recipe import SplitSection, convert


@pytest.mark.parametrize(
    "values", [{"folds": 1}, {"fold": 1}, {"folds": 3, "fold": 3}, {"folds": 2, "fold": -1}]
)
def test_folds_that_cannot_be_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(InputError, match=r"fold"):
        convert(values, SplitSection, "the recipe")


def test_the_last_fold_is_taken() -> None:
    assert convert({"folds": 3, "fold": 2}, SplitSection, "the recipe").fold == 2
