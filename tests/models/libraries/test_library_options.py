from __future__ import annotations

import pytest

from edgekd.errors import InputError
from edgekd.models.libraries.options import refuse_misplaced


def test_misplaced_options() -> None:
    elsewhere = {"weights": "they stand beside"}
    refuse_misplaced("net", {"width": 3}, elsewhere)
    with pytest.raises(InputError, match="`weights` is no option of net: they stand beside"):
        refuse_misplaced("net", {"weights": 3}, elsewhere)
