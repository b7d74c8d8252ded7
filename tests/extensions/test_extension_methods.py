"""Names of methods stand for their classes, and are checked before torch is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edgekd.errors import InputError
from edgekd.extensions.methods import METHODS, method_name


@pytest.mark.parametrize("name", METHODS.built_in)
def test_every_name_stands_for_a_method_of_its_own(name: str) -> None:
    from edgekd.distill.methods import Method, load_method

    kind = METHODS.load(name)
    assert issubclass(kind, Method)
    assert load_method(name) is kind
    assert METHODS.module(name) == f"edgekd.distill.methods.{name}"


def test_no_two_names_stand_for_one_method() -> None:
    assert len(set(METHODS.built_in.values())) == len(METHODS.built_in)


def test_name_in_a_section() -> None:
    assert method_name({"name": "kd", "temperature": 3.0}) == "kd"
    with pytest.raises(InputError, match="there is no method 'fitnett'") as caught:
        method_name({"name": "fitnett"})
    assert caught.value.hint.startswith("did you mean 'fitnet'?")
    with pytest.raises(InputError, match="there is no method ''"):
        method_name({})


def test_a_name_is_checked_without_torch() -> None:
    code = (
        "import sys\n"
        "from edgekd.extensions.methods import method_name\n"
        "print(method_name({'name': 'ssd_kd'}), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["ssd_kd", "False"]
