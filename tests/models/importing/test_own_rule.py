"""The owner's preprocessing, against torchvision's and timm's own transforms."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import timm.data
import torch
from PIL import Image
from torchvision import transforms

from edgekd.errors import ImageError
from edgekd.models.card import InputCard
from edgekd.models.importing.own_rule import own_view, resized_side, view_of

MODES = {"bilinear": transforms.InterpolationMode.BILINEAR,
         "bicubic": transforms.InterpolationMode.BICUBIC}  # fmt: skip


def noise(height: int, width: int) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("interpolation", MODES)
@pytest.mark.parametrize("shape", [(90, 121), (121, 90), (64, 64), (33, 47)], ids=str)
def test_shorter_side_and_centre_as_torchvision(shape: tuple[int, int], interpolation: str) -> None:
    image = noise(*shape)
    steps = transforms.Compose(
        [transforms.Resize(36, MODES[interpolation]), transforms.CenterCrop(32)]
    )
    rule = InputCard(fraction=32 / 36, interpolation=interpolation)  # type: ignore[arg-type]
    expected = np.array(steps(Image.fromarray(image)))
    assert np.array_equal(view_of(image, 32, rule), expected)


@pytest.mark.parametrize("mode", ["center", "squash"])
def test_as_timm(mode: str) -> None:
    steps = timm.data.create_transform(
        (3, 64, 64), interpolation="bicubic", mean=(0, 0, 0), std=(1, 1, 1), crop_pct=0.95,
        crop_mode=mode,
    )  # fmt: skip
    image = noise(100, 131)
    expected = steps(Image.fromarray(image)).permute(1, 2, 0)
    resize = "squash" if mode == "squash" else "shorter-side"
    rule = InputCard(resize=resize, fraction=0.95, interpolation="bicubic")  # type: ignore[arg-type]
    assert resized_side(64, rule) == 67
    assert torch.from_numpy(view_of(image, 64, rule)).float().div(255).equal(expected)


def test_a_file_is_read_at_its_whole_size(tmp_path: Path) -> None:
    image = noise(300, 400)
    file = tmp_path / "a.jpg"
    Image.fromarray(image).save(file, quality=92)
    with Image.open(file) as opened:
        decoded = np.array(opened.convert("RGB"))
    rule = InputCard(fraction=0.9)
    assert np.abs(own_view(file, 32, rule).astype(int) - view_of(decoded, 32, rule)).max() <= 1
    file.write_bytes(b"none")
    with pytest.raises(ImageError):
        own_view(file, 32, rule)
