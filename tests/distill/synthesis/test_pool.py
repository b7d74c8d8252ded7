"""The pool of made images."""

from __future__ import annotations

import torch

from edgekd.distill.synthesis.pool import ImagePool


def filled(limit: int = 0) -> ImagePool:
    pool = ImagePool(4, limit)
    for number in range(3):
        pool.add(torch.full((2, 3, 4, 4), number / 10), torch.tensor([number, number + 1]))
    return pool


def test_it_grows_and_keeps_256_steps():
    pool = filled()
    assert len(pool) == 6
    assert pool.images.dtype == torch.uint8
    assert pool.images[:, 0, 0, 0].tolist() == [0, 0, 26, 26, 51, 51]
    assert pool.labels.tolist() == [0, 1, 1, 2, 2, 3]


def test_a_limit_keeps_the_latest():
    assert filled(3).labels.tolist() == [2, 2, 3]


def test_draws_follow_their_generator():
    pool = filled()
    drawn = [pool.draw(50, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert drawn[0].equal(drawn[1])
    assert not drawn[0].equal(drawn[2])
    assert set((drawn[0] * 255).round().unique().tolist()) == {0, 26, 51}


def test_a_stored_pool_is_taken_whatever_its_length():
    stored = {name: tensor.clone() for name, tensor in filled().state_dict().items()}
    other = ImagePool(4)
    other.load_state_dict(stored)
    assert other.images.equal(filled().images)
    assert other.labels.equal(filled().labels)
    smaller = filled()
    smaller.load_state_dict(ImagePool(4).state_dict())
    assert len(smaller) == 0
