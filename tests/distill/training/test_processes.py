"""What processes exchange; one process alone has it unchanged."""

from __future__ import annotations

from typing import Any

import process_share
import pytest
import torch
from torch import distributed

from edgekd.distill.training.processes import barrier, is_rank_zero, losses_named
from edgekd.errors import DeviceUnreachableError


def test_two_processes(pair: list[dict[str, Any]]) -> None:
    for each in (outcome["process_share"] for outcome in pair):
        assert each["equal"].tolist() == [[0, 7], [1, 7]]
        assert each["rows"].tolist() == [[0.0, 0.0], *[[1.0, 1.0]] * 3]
        assert each["mean"].tolist() == [1.5, 5.0]
        assert each["each"] == {"a": 0.5, "b": 2.0}
        assert each["largest"] == [1, 5]
        assert each["every"] == [{"rank": 0}, {"rank": 1}]
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
    assert alone["largest"] == [1, 4]
    assert alone["every"] == [{"rank": 1}]
    assert is_rank_zero()
    barrier()


GLOO = (
    "[/src/third_party/gloo/gloo/transport/tcp/pair.cc:545] Read error [10.77.0.2]:7832: "
    "Connection reset by peer. This is typically caused by a remote worker hanging."
)


def test_a_lost_process_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekd.distill.training.processes._several", lambda: True)
    with pytest.raises(DeviceUnreachableError) as lost, losses_named():
        raise RuntimeError(GLOO)
    assert lost.value.message == (
        "another process of this run has ended or cannot be reached: "
        "Read error [10.77.0.2]:7832: Connection reset by peer"
    )
    with pytest.raises(DeviceUnreachableError), losses_named():
        raise distributed.DistNetworkError("The client has no answer")


def test_other_errors_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="Connection"), losses_named():  # of one process alone
        raise RuntimeError(GLOO)
    monkeypatch.setattr("edgekd.distill.training.processes._several", lambda: True)
    with pytest.raises(RuntimeError, match="shapes"), losses_named():
        raise RuntimeError("the shapes of a and b do not match")
