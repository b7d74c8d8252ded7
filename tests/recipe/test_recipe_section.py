from __future__ import annotations

import msgspec
import pytest

from edgekd.data.subclasses import LabelSection
from edgekd.errors import InputError
from edgekd.recipe import FitSection, Recipe, convert, fingerprint


def test_convert_names_where() -> None:
    assert convert({"epochs": "7"}, FitSection, "here").epochs == 7
    with pytest.raises(InputError, match=r"here: unknown key 'epoch'"):
        convert({"epoch": 7}, FitSection, "here")
    with pytest.raises(InputError, match=r"here: Expected"):
        convert([7], FitSection, "here")


def test_one_word_where_a_list_belongs() -> None:
    with pytest.raises(InputError, match="Expected `array") as caught:
        convert({"merge": {"made": "mel"}}, LabelSection, "here")
    assert caught.value.hint == "write a list: [one, two]"


def test_fingerprint_is_independent_of_the_order_of_keys() -> None:
    one = fingerprint({"a": 1, "b": {"x": [1, 2], "y": None}})
    assert one == fingerprint({"b": {"y": None, "x": [1, 2]}, "a": 1})
    assert len(one) == 64
    assert one != fingerprint({"a": 1, "b": {"x": [2, 1], "y": None}})


def test_fingerprint_tells_parts_apart() -> None:
    parts = [("ab",), ("a", "b"), (["a", "b"],), ()]
    assert len({fingerprint(*part) for part in parts}) == 4


def test_fingerprint_of_a_struct_is_that_of_its_values() -> None:
    assert fingerprint(FitSection()) == fingerprint(msgspec.to_builtins(FitSection()))
    assert fingerprint(FitSection()) != fingerprint(FitSection(epochs=11))


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ({"trainer": {"accelerator": "tpu"}}, "auto, cpu, gpu"),
        ({"trainer": {"loggers": ["mlflw"]}}, "tensorboard, mlflow, wandb"),
        ({"teachers": [{}, {"fit": {"loss": "focl"}}]}, "cross_entropy, focal"),
        ({"teacher": {"views": 3}}, "1, 2, 4, 8"),
    ],
)
def test_a_word_that_is_none_of_a_keys_is_answered_with_those_it_may_be(section, names):
    with pytest.raises(InputError, match="Invalid enum value") as caught:
        convert({"name": "x", "data": {"source": "synthetic"}} | section, Recipe, "here")
    assert caught.value.hint.startswith(f"write one of: {names}")
