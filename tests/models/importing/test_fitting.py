from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from edgekd.errors import InputError
from edgekd.models import create_network
from edgekd.models.importing.fitting import fit_architecture, guess_architecture
from edgekd.models.importing.states import State

TINY: dict[str, Any] = {"channels": [8, 16, 16, 24], "stem_width": 8}


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return create_network("resnet10t", 5, TINY).state_dict()


def test_the_named_architecture_gets_the_weights(weights: dict[str, Tensor]) -> None:
    fitted = fit_architecture(State("", weights), "resnet10t", TINY)
    state = fitted.network.state_dict()
    assert all(state[name].equal(tensor) for name, tensor in weights.items())
    assert not fitted.network.training


@pytest.mark.parametrize("prefix", ["module.", "model.", "module.model.", "_orig_mod.encoder."])
def test_a_prefix_is_taken_off_and_the_rest_left(weights: dict[str, Tensor], prefix: str) -> None:
    tensors = {f"{prefix}{name}": tensor for name, tensor in weights.items()}
    tensors["loss.weight"] = torch.ones(5)
    fitted = fit_architecture(State("", tensors), "resnet10t", TINY)
    assert fitted.state.prefix == prefix
    assert fitted.state.left == ("loss.weight",)


def test_two_networks_in_one_file_are_told_apart_by_their_prefix(
    weights: dict[str, Tensor],
) -> None:
    tensors = {f"student.{name}": tensor for name, tensor in weights.items()}
    tensors |= {f"teacher.{name}": tensor + 1 for name, tensor in weights.items()}
    with pytest.raises(InputError, match=r"prefixes student\., teacher\.") as caught:
        fit_architecture(State("", tensors), "resnet10t", TINY)
    assert "--weights" in caught.value.hint
    fitted = fit_architecture(State("", tensors), "resnet10t", TINY, "teacher")
    assert fitted.network.state_dict()["fc.bias"].equal(weights["fc.bias"] + 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: {k: v for k, v in w.items() if k != "conv1.0.weight"}, "conv1.0.weight first"),
        (lambda w: w | {"layer1.0.conv1.weight": torch.zeros(9, 8, 3, 3)}, r"is \[9, 8, 3, 3\]"),
        (lambda w: w | {"layer1.5.conv1.weight": torch.zeros(1)}, "are none of its own"),
        (lambda w: w | {"fc.bias": torch.zeros(4)}, "its head differs"),
    ],
    ids=["missing", "shape", "surplus", "head"],
)
def test_what_does_not_fit_is_named(weights: dict[str, Tensor], change: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        fit_architecture(State("", change(weights)), "resnet10t", TINY)
    assert "--kwargs" in caught.value.hint


def test_the_only_architecture_that_fits_is_guessed() -> None:
    state = create_network("torchvision:shufflenet_v2_x0_5", 3).state_dict()
    tensors = {f"module.{name}": tensor for name, tensor in state.items()}
    fitted = guess_architecture(State("", tensors), 32)
    assert fitted.arch == "torchvision:shufflenet_v2_x0_5"
    assert fitted.state.prefix == "module."
    assert "the only one that fits" in fitted.notes[0]


def test_architectures_that_compute_the_same_are_one() -> None:
    fitted = guess_architecture(State("", create_network("densenet121", 3).state_dict()), 32)
    assert fitted.arch == "densenet121"
    assert "torchvision:densenet121 computes the same" in fitted.notes[0]


def test_candidates_that_differ_are_listed() -> None:
    state = State("", create_network("resnet18", 3).state_dict())
    with pytest.raises(InputError, match=r"fit resnet18, resnetblur18, torchvision:resnet18"):
        guess_architecture(state, 32)


def test_nothing_that_fits_is_said(weights: dict[str, Tensor]) -> None:
    with pytest.raises(InputError, match="no architecture of timm or torchvision") as caught:
        guess_architecture(State("", weights))
    assert "--arch" in caught.value.hint
