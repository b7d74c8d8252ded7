"""Arithmetic that must not be rounded to half precision."""

from __future__ import annotations

import torch

from edgekd.data.autocast import without_autocast


def test_products_are_exact_within_and_rounded_again_after():
    factors = torch.rand(4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with without_autocast():
            assert not torch.is_autocast_enabled("cpu")
            assert (factors @ factors).dtype == torch.float32
        assert (factors @ factors).dtype == torch.bfloat16
    with without_autocast():
        assert (factors @ factors).dtype == torch.float32
