"""Holes: as many as their share says, where the seed puts them."""

from __future__ import annotations

import torch

from edgekd.data.augment.holes import drop_blocks, drop_pixels, erase

WHITE = torch.ones(40, 3, 64, 64)
SEEDS = torch.arange(40)


def test_holes_are_black_and_as_many_as_their_share():
    shares = torch.tensor([0.02, 0.3]).repeat(20)
    pixels = (drop_pixels(WHITE, shares, SEEDS) == 0).float()
    assert (pixels.amax(1) == pixels.amin(1)).all()  # of all channels
    assert 0.015 < pixels[::2].mean() < 0.025
    assert 0.29 < pixels[1::2].mean() < 0.31
    blocks = drop_blocks(WHITE, torch.full((40,), 0.1), SEEDS)
    assert 0.08 < (blocks == 0).float().mean() < 0.12
    cells = blocks.unfold(2, 4, 4).unfold(3, 4, 4)
    assert (cells.amax((4, 5)) == cells.amin((4, 5))).all()


def test_sides_that_no_number_of_blocks_fills():
    assert drop_blocks(WHITE[:, :, :17, :17], torch.full((40,), 0.5), SEEDS).shape[2:] == (17, 17)


def test_the_seed_says_where():
    shares = torch.full((2,), 0.2)
    for change in (drop_pixels, drop_blocks):
        first, second = change(WHITE[:2], shares, torch.tensor([3, 4]))
        assert not torch.equal(first, second)
        assert torch.equal(change(WHITE[:1], shares[:1], torch.tensor([4]))[0], second)


def test_a_rectangle_of_noise():
    grey = torch.full((2, 3, 10, 10), 0.5)
    rectangles = torch.tensor([[0.1, 0.2, 0.4, 0.8], [0.0, 0.0, 1.0, 1.0]])
    erased = erase(grey, rectangles, torch.tensor([1, 2]))
    assert (grey == 0.5).all()
    hole = erased[0, :, 2:8, 1:4].clone()
    assert hole.std() > 0.2
    assert len(hole.unique()) == 3 * 6 * 3
    erased[0, :, 2:8, 1:4] = 0.5
    assert (erased[0] == 0.5).all()
    assert (erased[1] != 0.5).all()
