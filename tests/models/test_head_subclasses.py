"""Networks that tell subclasses: their class logits, their start, their checkpoints."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from edgekd.errors import ArtefactError
from edgekd.models import (
    DataCard,
    ModelCard,
    NormalisedNetwork,
    TrainingCard,
    create_network,
    load_checkpoint,
    read_card,
    save_checkpoint,
)
from edgekd.models.features import features_of
from edgekd.models.subclasses import SubclassSums, start_even

OPTIONS = {"channels": [4, 4, 8, 8], "stem_width": 4}
OF = (0, 0, 0, 1, 2, 2)
SUBCLASSES = {"a": ("1", "2", "3"), "b": ("1",), "c": ("1", "2")}


def drawn(rows: int = 7, spread: float = 3.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return spread * torch.randn(rows, len(OF), generator=generator)


def test_probabilities_of_classes_are_sums() -> None:
    logits = drawn().double()
    found = SubclassSums(OF)(logits).softmax(1)
    p = logits.softmax(1)
    wanted = torch.stack((p[:, :3].sum(1), p[:, 3], p[:, 4:].sum(1)), 1)
    torch.testing.assert_close(found, wanted, atol=1e-14, rtol=0)


def test_order_within_a_class_means_nothing() -> None:
    logits = drawn().double()
    shuffled = logits[:, [2, 0, 1, 3, 5, 4]]
    torch.testing.assert_close(SubclassSums(OF)(logits), SubclassSums(OF)(shuffled))


def test_extreme_logits_stay_finite_with_their_gradients() -> None:
    logits = drawn(spread=500.0).requires_grad_()
    sums = SubclassSums(OF)(logits)
    sums.sum().backward()
    assert sums.isfinite().all()
    assert logits.grad is not None
    # Each class's gradients are its own softmax.
    wanted = torch.cat([part.softmax(1) for part in logits.detach().split((3, 1, 2), dim=1)], 1)
    torch.testing.assert_close(logits.grad, wanted)


def test_half_precision_is_left() -> None:
    assert SubclassSums(OF)(drawn().bfloat16()).dtype == torch.float32


@pytest.mark.parametrize("of", [(0, 1, 0), (1, 0), (0, 2), (1, 1)])
def test_other_orders_are_refused(of: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="order of their classes"):
        SubclassSums(of)


def test_no_class_has_a_head_start() -> None:
    head = nn.Linear(4, len(OF))
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    start_even(head, OF)
    p = SubclassSums(OF)(head(torch.ones(1, 4))).softmax(1)
    torch.testing.assert_close(p, torch.full((1, 3), 1 / 3))
    assert head.bias.requires_grad
    assert head.bias[3] == 0
    assert head.bias[0].item() == pytest.approx(-math.log(3))


def test_taps_give_class_logits() -> None:
    network = NormalisedNetwork(
        create_network("resnet10t", len(OF), OPTIONS), (0.5,) * 3, (0.2,) * 3, OF
    ).eval()
    pixels = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        found = features_of(network, pixels)
        assert found.logits.equal(network(pixels))
        assert found.logits.equal(network.class_logits(network.outputs(pixels)))
    assert found.logits.shape == (2, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    network = create_network("resnet10t", len(OF), OPTIONS)
    card = ModelCard(
        role="teacher", arch="resnet10t", arch_options=OPTIONS, classes=("a", "b", "c"),
        image_size=32, mean=(0.5,) * 3, std=(0.2,) * 3, resize="centre-square-area-v2", params=1,
        macs=1, pretrained="none", subclasses=SUBCLASSES,
        data=DataCard(name="x", root="/data", sha256="0" * 64, images={"train": 3}),
        training=TrainingCard(
            method="subclass", seed=1, recipe_sha256="1" * 64, stage_sha256="2" * 64, epochs=3,
            best_epoch=2,
        ),
    )  # fmt: skip
    save_checkpoint(tmp_path, network, card)
    return tmp_path


def test_a_checkpoint_remembers_them(folder: Path) -> None:
    checkpoint = load_checkpoint(folder)
    assert checkpoint.card.subclasses == SUBCLASSES
    assert checkpoint.card.subclass_of == OF
    pixels = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert checkpoint.normalised()(pixels).shape == (2, 3)
        assert checkpoint.normalised().outputs(pixels).shape == (2, 6)


@pytest.mark.parametrize("wrong", [{"a": ["1"]}, {"a": ["1"], "b": [], "c": ["1"]}])
def test_a_class_without_subclasses_is_damage(folder: Path, wrong: Any) -> None:
    card = json.loads((folder / "model.json").read_bytes())
    (folder / "model.json").write_text(json.dumps(card | {"subclasses": wrong}), encoding="utf-8")
    with pytest.raises(ArtefactError, match="subclasses"):
        read_card(folder)


def test_more_subclasses_than_the_weights_tell_are_damage(folder: Path) -> None:
    card = json.loads((folder / "model.json").read_bytes())
    more = SUBCLASSES | {"b": ["1", "2"]}
    (folder / "model.json").write_text(json.dumps(card | {"subclasses": more}), encoding="utf-8")
    with pytest.raises(ArtefactError, match="does not fit"):
        load_checkpoint(folder)
