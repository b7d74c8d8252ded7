"""The section `fit`: the loss on the labels, and keys that contradict each other."""

from __future__ import annotations

from typing import Any

import pytest

from edgekd.errors import InputError
from edgekd.recipe import FitSection, LossSection, convert


def fit(**keys: Any) -> FitSection:
    return convert(keys, FitSection, "the recipe")


def test_a_loss_is_a_name_or_a_section() -> None:
    assert fit().hard_loss == LossSection()
    assert fit(loss="focal").hard_loss == LossSection(name="focal", gamma=2.0)
    section = {"name": "multi_weighted_focal", "gamma": 1.5, "beta": 0.2}
    assert fit(loss=section).hard_loss == LossSection(**section)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"loss": "focul"}, "Invalid enum value 'focul'"),
        ({"loss": {"name": "focal", "gama": 1}}, "unknown key 'loss.gama'"),
        ({"loss": {"name": "focal", "gamma": -1}}, "Expected `float` >= 0.0"),
        ({"loss": {"name": "cross_entropy", "gamma": 1.0}}, "cross_entropy takes no gamma"),
        ({"loss": {"name": "focal", "beta": 0.2}}, "focal takes no beta"),
        ({"loss": "focal", "label_smoothing": 0.1}, "set label_smoothing to 0"),
        ({"logit_adjustment": 1.0}, "set class_weights to none"),
        ({"logit_adjustment": 1.0, "class_weights": "full"}, "set class_weights to none"),
        (
            {"logit_adjustment": 1.0, "class_weights": "none", "class_sampling": "full"},
            "class_sampling full leaves no imbalance",
        ),
        (
            {"logit_adjustment": 1.0, "class_weights": "none", "label_smoothing": 0.1},
            "would raise rare classes in every image",
        ),
        (
            {"logit_adjustment": 1.0, "class_weights": "none", "loss": "focal"},
            "a correction of cross_entropy alone",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(keys: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError) as caught:
        fit(**keys)
    assert problem in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("sampling", ["none", "sqrt"])
def test_logit_adjustment_goes_with_drawn_classes(sampling: str) -> None:
    keys = {"logit_adjustment": 1.0, "class_weights": "none", "class_sampling": sampling}
    assert fit(**keys).logit_adjustment == 1.0
