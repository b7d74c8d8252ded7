"""Effective numbers of images."""

from __future__ import annotations

import pytest
import torch

from edgekd.distill.losses.cui2019 import effective_numbers


def test_formula():
    """(1 − β³)/(1 − β) = 1 + β + β²."""
    assert effective_numbers((1, 3), beta=0.5).tolist() == pytest.approx([1.0, 1.75])


def test_few_images_count_as_they_are_and_many_approach_the_limit():
    few, many = effective_numbers((10, 10_000_000)).tolist()
    assert few == pytest.approx(10.0, rel=1e-3)
    assert many == pytest.approx(10_000.0, rel=1e-3)


def test_a_class_without_images_counts_as_one():
    assert torch.equal(effective_numbers((0,)), effective_numbers((1,)))
