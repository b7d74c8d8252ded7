"""The policy `trivial`: one operation for each image, none of which costs the diagnosis."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from edgekd.data.augment import Augmentation, Draw
from edgekd.data.augment.trivial import OPERATIONS, draw_trivial
from edgekd.recipe import AugmentSection

PLAIN = AugmentSection(policy="trivial", flip=False, quarter_turns=False)
COUNT = 12_000


def drawn(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def changed_fields(draw: Draw) -> torch.Tensor:
    """Which parameters [N, fields] differ from those of an unchanged image."""
    unchanged = Draw.unchanged(len(draw))
    return torch.stack(
        [
            (getattr(draw, field.name) != getattr(unchanged, field.name)).flatten(1).any(1)
            if getattr(draw, field.name).ndim > 1
            else getattr(draw, field.name) != getattr(unchanged, field.name)
            for field in dataclasses.fields(Draw)
        ],
        dim=1,
    )


def test_one_operation_for_each_image():
    draw = draw_trivial(PLAIN, COUNT, drawn())
    changed = changed_fields(draw)
    assert changed.sum(1).max() == 1
    assert ((draw.factors != 1).sum(1) <= 1).all()
    share = changed.any(1).float().mean()
    assert share == pytest.approx(1 - 1 / len(OPERATIONS), abs=0.01)  # but for the identity


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_by_its_strength(name):
    """Nothing at strength 0, the more the stronger, and in both directions."""
    strengths = torch.tensor([0.0, 0.3, 1.0, -1.0])
    draw = OPERATIONS[name](Draw.unchanged(4), strengths)
    changed = changed_fields(draw).any(1).tolist()
    assert changed == [False, *[name != "identity"] * 3]
    x = torch.linspace(0.1, 0.9, 32)
    images = torch.stack(
        (x[None] * x[:, None], x[None].expand(32, 32), 0.3 * x[:, None].expand(32, 32))
    )
    images = (images + 0.05 * torch.rand(3, 32, 32, generator=drawn())).clamp(0, 1)
    images = images.repeat(4, 1, 1, 1)
    result = Augmentation(PLAIN, 32).apply(images, draw)
    distance = (result - images).abs().mean(dim=(1, 2, 3))
    assert distance[0] == 0
    if name not in ("identity", "rotate"):
        assert 0 < distance[1] < distance[2]
        assert (name == "blur") == torch.equal(result[2], result[3])


def test_colours_change_little():
    """Colour is diagnostic: the strongest change of it is small."""
    images = torch.rand(COUNT // 10, 3, 8, 8, generator=drawn())
    draw = draw_trivial(PLAIN, len(images), drawn())
    colours = dataclasses.replace(Draw.unchanged(len(images)), factors=draw.factors,
                                  hue_saturation=draw.hue_saturation)  # fmt: skip
    distance = (Augmentation(PLAIN, 8).apply(images, colours) - images).abs()
    assert 0.1 < distance.max() <= 0.2
    assert draw.hue_saturation[:, 0].abs().max() <= 0.02
    assert (draw.hue_saturation[:, 1] == 0).all()


def test_crop_flips_and_erasing_stand_beside_it():
    section = AugmentSection(policy="trivial", crop=0.5, erase=0.4)
    draw = draw_trivial(section, COUNT, drawn())
    area = torch.linalg.det(draw.affine[:, :, :2]).abs()
    assert 0.65 < area.mean() < 0.85
    assert (torch.linalg.det(draw.affine[:, :, :2]) < 0).float().mean() == pytest.approx(
        0.5, abs=0.03
    )
    assert (draw.erased[:, 2] > 0).float().mean() == pytest.approx(0.4, abs=0.03)
