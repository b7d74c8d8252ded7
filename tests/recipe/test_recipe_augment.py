from __future__ import annotations

import pytest

from edgekd.errors import InputError
from edgekd.recipe import AugmentSection, convert


def test_a_fixed_policy_takes_no_further_keys() -> None:
    assert convert({"policy": "dermoscopy"}, AugmentSection, "the recipe").policy == "dermoscopy"
    with pytest.raises(InputError, match=r"the policy dermoscopy takes no further keys"):
        convert({"policy": "dermoscopy", "zoom": 0.2}, AugmentSection, "the recipe")
