from __future__ import annotations

from pathlib import Path

import pytest
import torch

from edgekd.errors import InputError
from edgekd.models.importing.states import State, below, choose_state, prefixes_of, states_in

STATE = {"conv.weight": torch.ones(2, 3), "conv.bias": torch.zeros(2)}
FILE = Path("w.pth")


def test_a_plain_state_dict() -> None:
    (state,) = states_in(STATE)
    assert state.key == ""
    assert dict(state.tensors) == STATE


@pytest.mark.parametrize("key", ["state_dict", "model", "model_ema", "ema", "net"])
def test_weights_under_a_key(key: str) -> None:
    content = {key: STATE, "epoch": 3, "optimizer": {"state": {0: {"m": torch.ones(1)}}}}
    assert choose_state(FILE, content, None).key == key


def test_the_moving_average_goes_first_and_the_other_can_be_chosen() -> None:
    content = {"model": STATE, "model_ema": {"module": STATE}, "ema": dict(STATE)}
    assert [state.key for state in states_in(content)] == ["ema", "model", "model_ema.module"]
    assert choose_state(FILE, content, None).key == "ema"
    assert choose_state(FILE, content, "model").key == "model"


def test_a_file_without_weights_is_refused_by_what_it_holds() -> None:
    for content, words in [({"epoch": 1, "args": {}}, "epoch, args"), ([1, 2], "a list")]:
        with pytest.raises(InputError, match="holds no weights") as caught:
            choose_state(FILE, content, None)
        assert words in caught.value.message


def test_prefixes_and_what_is_below_them() -> None:
    tensors = {f"module.net.{name}": each for name, each in STATE.items()}
    state = State("", tensors | {"loss.weight": torch.ones(3)})
    prefixes = prefixes_of(list(state.tensors))
    assert prefixes[0] == ""
    assert "module.net." in prefixes
    part = below(state, "module.net.")
    assert dict(part.tensors) == STATE
    assert part.left == ("loss.weight",)
    assert part.text() == (
        "2 tensors, their prefix module.net. taken off; 1 beside them are left (loss.weight …)"
    )
