"""Layer sensitivity is measured once, and sets of float layers grow along its ranking."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from edgekd.bundle import LayerSensitivity
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.lower.context import BuildContext
from edgekd.lower.int8 import sensitivity
from edgekd.lower.int8.sensitivity import float_sets, layer_sensitivity
from edgekd.lower.progress import LineReporter


def context_with(calibration: Any, lines: list[str]) -> BuildContext:
    card = SimpleNamespace(task=DEFAULT_TASK, weights_sha256="w")
    return BuildContext(
        cast(Any, SimpleNamespace(card=card)), calibration, cast(Any, None), Path(), Path(),
        LineReporter(lines.append),
    )  # fmt: skip


def test_without_calibration_images_it_cannot_be_measured() -> None:
    with pytest.raises(InputError, match="without calibration images"):
        layer_sensitivity(context_with(None, []))


def test_it_is_measured_once_and_reported_with_its_unit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path))
    ranking = (LayerSensitivity(layer="stem", divergence=0.5, flips=3),)
    measurements: list[Any] = []

    def rank(*arguments: Any) -> tuple[LayerSensitivity, ...]:
        measurements.append(arguments)
        return ranking

    monkeypatch.setattr(sensitivity, "_rank", rank)
    monkeypatch.setattr(sensitivity, "fingerprint", lambda *parts: "0" * 64)
    calibration = SimpleNamespace(sha256="c", images=np.zeros((1, 2, 2, 3), np.uint8))
    lines: list[str] = []
    context = context_with(calibration, lines)
    assert layer_sensitivity(context) == layer_sensitivity(context) == ranking
    assert len(measurements) == 1
    assert lines == ["  1. stem: divergence 0.5 nats, 3 of 32 flip"]


def ranking_of(*divergences: float) -> list[LayerSensitivity]:
    return [
        LayerSensitivity(layer=f"l{n}", divergence=divergence, flips=0)
        for n, divergence in enumerate(divergences)
    ]


def sizes(*divergences: float) -> list[int]:
    return [len(layers) for layers in float_sets(ranking_of(*divergences))]


def test_sets_grow_up_to_a_quarter_of_the_layers() -> None:
    even = [1.0] * 53
    assert sizes(*even) == [2, 4, 8, 13]
    assert float_sets(ranking_of(*even))[1] == ("l0", "l1", "l2", "l3")


def test_negligible_layers_are_in_no_set() -> None:
    assert sizes(5.0, 3.0, 1.0, *([1e-4] * 50)) == [2, 3]


def test_there_is_always_a_set() -> None:
    assert sizes(1.0, 0.5) == [1]
    assert sizes(*([0.0] * 40)) == [1]
    with pytest.raises(InputError, match="no layer"):
        float_sets([])
