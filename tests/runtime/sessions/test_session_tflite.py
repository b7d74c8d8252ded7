"""A TensorFlow Lite file on the CPU: how much of the graph XNNPACK takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekd.errors import DeviceUnreachableError
from edgekd.runtime.sessions import open_session
from sessions.small_models import SIZE, torch


def test_a_graph_in_pieces_is_told(tmp_path: Path) -> None:
    from edgekd.lower.backends import get_backend
    from edgekd.lower.graph import deploy_graph
    from edgekd.lower.precision import Variant

    class Cut(torch.nn.Module):  # type: ignore[misc]
        def forward(self, values: Any) -> Any:
            return torch.cumsum(values, 1)  # XNNPACK has none

    layers = [torch.nn.Conv2d(3, 4, 3), Cut(), torch.nn.Conv2d(4, 3, SIZE - 2), torch.nn.Flatten()]
    graph = deploy_graph(torch.nn.Sequential(*layers).eval(), (0.5,) * 3, (0.25,) * 3)
    get_backend("tflite").lower(graph, SIZE, Variant(precision="fp32"), None, tmp_path)
    session = open_session("tflite", tmp_path / "model.tflite")
    assert session.warnings == ("XNNPACK took the graph in 2 pieces; each cut costs time",)
    with pytest.raises(DeviceUnreachableError, match="in 2 pieces"):
        open_session("tflite", tmp_path / "model.tflite", require=True)
