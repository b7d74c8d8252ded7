from __future__ import annotations

import pytest

from edgekd.errors import InputError
from edgekd.recipe import AugmentSection, convert


def test_a_fixed_policy_takes_no_further_keys() -> None:
    assert convert({"policy": "dermoscopy"}, AugmentSection, "the recipe").policy == "dermoscopy"
    with pytest.raises(InputError, match=r"the policy dermoscopy takes no further keys"):
        convert({"policy": "dermoscopy", "zoom": 0.2}, AugmentSection, "the recipe")


@pytest.mark.parametrize("key", ["zoom", "colour", "rotate"])
def test_a_policy_that_draws_its_own_changes_refuses_their_keys(key: str) -> None:
    with pytest.raises(InputError, match=f"but crop, erase, flip, quarter_turns.*read {key}"):
        convert({"policy": "trivial", key: 0.3}, AugmentSection, "the recipe")
    for policy, read in (("trivial", {"crop": 0.5, "erase": 0.1, "flip": False}), ("light", {})):
        assert convert({"policy": policy, **read}, AugmentSection, "the recipe").policy == policy


@pytest.mark.parametrize(
    ("key", "value"), [("crop", 0.0), ("crop", 1.1), ("rotate", 181.0), ("erase", -0.1)]
)
def test_values_out_of_range_are_refused(key: str, value: float) -> None:
    with pytest.raises(InputError, match=rf"at {key}"):
        convert({key: value}, AugmentSection, "the recipe")


@pytest.mark.parametrize("policy", ["light", "dermoscopy", "trivial"])
def test_every_policy_takes_a_margin_and_mixing(policy: str) -> None:
    raw = {"policy": policy, "margin": 1.25, "mixup": 0.2, "cutmix": 1.0}
    section = convert(raw, AugmentSection, "the recipe")
    assert section.mixes
    assert not AugmentSection().mixes
