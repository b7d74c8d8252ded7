"""What processes exchange; one process alone has it unchanged."""

from __future__ import annotations

from typing import Any

import process_share
import torch

from edgekd.distill.training.processes import barrier, is_rank_zero


def test_two_processes(pair: list[dict[str, Any]]) -> None:
    for each in (outcome["process_share"] for outcome in pair):
        assert each["equal"].tolist() == [[0, 7], [1, 7]]
        assert each["rows"].tolist() == [[0.0, 0.0], *[[1.0, 1.0]] * 3]
        assert each["mean"].tolist() == [1.5, 5.0]
        assert each["each"] == {"a": 0.5, "b": 2.0}
        matrix, vector = each["in place"]
        assert matrix.equal(torch.full((2, 3, 1, 1), 0.5))
        assert vector.tolist() == [2.0, 1.0]


def test_one_process_alone() -> None:
    alone = process_share.exchanged(1, 1)
    assert alone["equal"].tolist() == [[1, 7]]
    assert alone["rows"].tolist() == [[1.0, 1.0]] * 3
    assert alone["mean"].tolist() == [2.0, 5.0]
    assert alone["each"] == {"a": 1.0, "b": 2.0}
    assert alone["in place"][1].tolist() == [4.0, 1.0]
    assert is_rank_zero()
    barrier()
