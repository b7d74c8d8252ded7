"""Memory banks: which rows are drawn, which change, and when."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from edgekd.distill.methods.memory import MemoryBanks
from edgekd.errors import InputError

# Images 2 and 5 are not in the training part; class 2 has one image.
LABELS = torch.tensor([0, 1, -1, 0, 1, -1, 2, 0, 1, 1])


def banks(labels: Tensor = LABELS, momentum: float = 0.5, seed: int = 0) -> MemoryBanks:
    return MemoryBanks(labels, 4, momentum, seed)


def vectors(count: int, seed: int = 0) -> Tensor:
    drawn = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, 4, generator=drawn), dim=1)


def draw(made: MemoryBanks, rows: Tensor, positives: int, negatives: int, seed: int = 0) -> Tensor:
    return made.draw(rows, positives, negatives, torch.Generator().manual_seed(seed))


def test_a_row_for_each_training_image_and_none_else():
    made = banks()
    assert len(made) == 8
    assert made.student.shape == made.teacher.shape == (8, 4)
    assert made.rows(torch.tensor([0, 3, 9])).tolist() == [0, 2, 7]
    assert made.labels.tolist() == [0, 1, 0, 1, 2, 0, 1, 1]
    with pytest.raises(InputError, match="no row"):
        made.rows(torch.tensor([0, 2]))


def test_the_start_is_uniform_within_the_papers_bounds_and_follows_the_seed():
    many = MemoryBanks(torch.arange(4000) % 2, 12, 0.5, 0)
    assert many.student.abs().max() <= 0.5  # 1/√(12/3)
    assert many.student.abs().max() > 0.499
    assert abs(float(many.student.mean())) < 0.01
    assert not many.student.equal(many.teacher)
    torch.manual_seed(5)
    assert many.student.equal(MemoryBanks(torch.arange(4000) % 2, 12, 0.5, 0).student)
    assert not many.student.equal(MemoryBanks(torch.arange(4000) % 2, 12, 0.5, 1).student)


def test_one_class_alone_cannot_be_contrasted():
    with pytest.raises(InputError, match="two classes"):
        banks(torch.tensor([1, 1, -1]))


def test_draws_come_from_the_right_classes():
    made = banks()
    rows = torch.arange(8)
    drawn = draw(made, rows, 3, 5)
    assert drawn.shape == (8, 8)
    assert drawn[:, 0].equal(rows)
    own = made.labels[rows][:, None]
    assert (made.labels[drawn[:, :3]] == own).all()
    assert (made.labels[drawn[:, 3:]] != own).all()
    assert drawn.equal(draw(made, rows, 3, 5))
    assert not drawn.equal(draw(made, rows, 3, 5, seed=1))


def test_no_row_comes_twice_where_there_are_enough():
    made = banks()
    four = made.labels == 1
    drawn = draw(made, torch.arange(8)[four], 4, 4)
    for row in drawn:
        assert sorted(made.labels[row[:4]].tolist()) == [1] * 4
        assert len(set(row[:4].tolist())) == 4  # the anchor and its three others
        assert len(set(row[4:].tolist())) == 4  # all that are of other classes


def test_small_classes_are_drawn_from_again():
    made = banks()
    drawn = draw(made, torch.tensor([4, 0]), 5, 50)
    assert drawn[0, :5].tolist() == [4] * 5  # the only one of its class
    assert set(drawn[1, 1:5].tolist()) <= {2, 5}
    assert set(drawn[0, 5:].tolist()) == {0, 1, 2, 3, 5, 6, 7}


def test_negatives_are_drawn_evenly():
    made = banks(torch.tensor([0] * 5 + [1] * 10))
    generator = torch.Generator().manual_seed(0)
    found = torch.cat([made.draw(torch.tensor([0]), 1, 4, generator) for _ in range(2000)])
    share = torch.bincount(found[:, 1:].flatten(), minlength=15) / (2000 * 4)
    torch.testing.assert_close(share[5:], torch.full((10,), 0.1), atol=0.01, rtol=0)


def test_positives_are_drawn_evenly():
    made = banks(torch.tensor([0] * 5 + [1] * 10))
    generator = torch.Generator().manual_seed(0)
    for positives in (3, 9):  # fewer than there are, and more
        found = torch.cat(
            [made.draw(torch.tensor([2]), positives, 1, generator) for _ in range(2000)]
        )
        share = torch.bincount(found[:, 1:positives].flatten(), minlength=15)[:5] / 2000
        wanted = torch.tensor([1, 1, 0, 1, 1]) * (positives - 1) / 4
        torch.testing.assert_close(share, wanted, atol=0.05, rtol=0)


def test_touched_rows_have_unit_length_and_the_others_stay():
    made = banks()
    before = made.student.clone(), made.teacher.clone()
    rows = torch.tensor([1, 6])
    memory = made.updated(rows, vectors(2), vectors(2, seed=1))
    assert made.student.equal(before[0])  # nothing yet
    made.remember(memory, torch.ones(2))
    for bank, was in zip((made.student, made.teacher), before, strict=True):
        torch.testing.assert_close(bank[rows].norm(dim=1), torch.ones(2))
        others = torch.tensor([0, 2, 3, 4, 5, 7])
        assert bank[others].equal(was[others])
    wanted = F.normalize(0.5 * before[0][rows] + 0.5 * vectors(2), dim=1)
    torch.testing.assert_close(made.student[rows], wanted)


def test_a_row_seen_twice_takes_the_mean_in_any_order():
    made = banks()
    seen = vectors(3)
    once = made.updated(torch.tensor([2, 5, 2]), seen, seen)[0]
    other = made.updated(torch.tensor([2, 2, 5]), seen[[2, 0, 1]], seen[[2, 0, 1]])[0]
    torch.testing.assert_close(once, other)
    wanted = F.normalize(0.5 * made.student[2] + 0.25 * (seen[0] + seen[2]), dim=0)
    torch.testing.assert_close(once[2], wanted)


def test_the_scale_is_set_by_the_first_batch_for_good():
    made = banks()
    first, second = torch.full((2, 3), 2.0), torch.full((2, 3), 5.0)
    student, teacher, scale = made.scaled(first, second)
    assert scale.tolist() == [16.0, 40.0]
    torch.testing.assert_close(student, torch.full((2, 3), 1 / 8))
    torch.testing.assert_close(teacher, torch.full((2, 3), 1 / 8))
    made.remember((made.student, made.teacher), scale)
    assert made.scaled(second, second)[2].tolist() == [16.0, 40.0]
