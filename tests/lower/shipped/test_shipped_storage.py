"""The weights as they ship: whole where they are small, rounded where they are not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from cards import ARCH, CLASSES, SIZE, make_card
from safetensors.torch import load_file

from edgekd.errors import GateFailedError, InputError
from edgekd.lower.shipped.storage import store_student
from edgekd.models import create_network, load_checkpoint, logits_of, save_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("student")
    torch.manual_seed(0)
    card = make_card()
    data = msgspec.structs.replace(card.data, root="/somewhere/here", name="photos")
    card = msgspec.structs.replace(card, data=data, pretrained="/weights/imagenet.safetensors")
    save_checkpoint(folder, create_network(ARCH, len(CLASSES), {}), card)
    return folder


def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)


def test_small_weights_stay_as_they_are(checkpoint: Path, tmp_path: Path) -> None:
    card = store_student(checkpoint, tmp_path)
    weights = "model.safetensors"
    assert (tmp_path / weights).read_bytes() == (checkpoint / weights).read_bytes()
    assert card.weights_sha256 == load_checkpoint(checkpoint).card.weights_sha256


def test_the_card_names_no_place_of_this_machine(checkpoint: Path, tmp_path: Path) -> None:
    card = store_student(checkpoint, tmp_path)
    assert card.data.root == "photos"
    assert card.pretrained == "imagenet.safetensors"
    assert b"/somewhere" not in (tmp_path / "model.json").read_bytes()


def test_large_weights_are_rounded_and_the_student_is_what_they_compute(
    checkpoint: Path, tmp_path: Path
) -> None:
    size = (checkpoint / "model.safetensors").stat().st_size
    store_student(checkpoint, tmp_path, most_bytes=size - 1)
    stored = load_file(tmp_path / "model.safetensors")
    floats = [tensor for tensor in stored.values() if tensor.is_floating_point()]
    kinds = {tensor.ndim > 1: tensor.dtype for tensor in floats}
    assert kinds == {True: torch.float16, False: torch.float32}
    rounded, plain = load_checkpoint(tmp_path), load_checkpoint(checkpoint)
    assert rounded.card.weights_sha256 != plain.card.weights_sha256
    for name, tensor in plain.network.state_dict().items():
        expected = tensor.half().float() if tensor.ndim > 1 else tensor
        assert torch.equal(rounded.network.state_dict()[name], expected), name
    outputs = [logits_of(each.normalised(), images()) for each in (rounded, plain)]
    assert 0 < np.abs(outputs[0] - outputs[1]).max() < 0.05


def test_weights_that_are_too_large_even_rounded_are_refused(
    checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(GateFailedError, match="even in float16"):
        store_student(checkpoint, tmp_path, most_bytes=10_000)
    assert not list(tmp_path.iterdir())


def test_weights_beyond_float16_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    network = create_network(ARCH, len(CLASSES), {})
    with torch.no_grad():
        network.conv_stem.weight[0, 0, 0, 0] = 1e5
    save_checkpoint(tmp_path / "large", network, make_card())
    size = (tmp_path / "large" / "model.safetensors").stat().st_size
    with pytest.raises(InputError, match=r"conv_stem\.weight"):
        store_student(tmp_path / "large", tmp_path / "out", most_bytes=size - 1)
