"""What a teacher's subclasses tell beyond the classes, and where a student's folder keeps it."""

from __future__ import annotations

import json
from math import log2
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekd.distill.comparison import label_bits
from edgekd.distill.comparison.label_bits import KEY, LabelBits

BITS = LabelBits(bits=0.5, temperature=4.0, plain=0.25, images=7)


class Even(nn.Module):
    """Sure of the first class, whose two subclasses it cannot tell apart."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))

    def outputs(self, pixels: Tensor) -> Tensor:
        return self.one * torch.tensor([[50.0, 50.0, -50.0]]).repeat(len(pixels), 1)

    forward = outputs


@pytest.mark.parametrize(("options", "temperature"), [({"temperature": 2.0}, 2.0), ({}, 1.0)])
def test_an_even_choice_of_two_subclasses_is_one_bit(
    options: dict[str, Any], temperature: float
) -> None:
    images = np.zeros((6, 8, 8, 3), np.uint8)
    samples: Any = SimpleNamespace(part=lambda name: (images, None), subclass_of=(0, 0, 1))
    measured = label_bits.label_bits_of(Even(), samples, options)
    assert measured.bits == pytest.approx(log2(2), abs=1e-6)
    assert (measured.temperature, measured.images) == (temperature, 6)


def test_a_folder_keeps_them_or_has_none(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    file.write_text(json.dumps({KEY: {"bits": 0.5, "temperature": 4, "plain": 0.25, "images": 7}}))
    assert label_bits.recorded_label_bits(tmp_path) == BITS
    file.write_text("{}")
    assert label_bits.recorded_label_bits(tmp_path) is None


def test_in_words() -> None:
    assert "0.5000" in BITS.text()
    assert "at T = 4, 0.2500 at T = 1" in BITS.text()
    plain = LabelBits(bits=0.5, temperature=1.0, plain=0.5, images=7)
    assert plain.text().endswith("at T = 1")
