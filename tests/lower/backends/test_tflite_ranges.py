"""Ranges of activations: the extremes of all calibration images, measured once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from backends.lowered_files import FLOAT_LAYERS, SIZE
from backends.tflite_files import (
    MEAN,
    STD,
    float_content,
    lower,
    noise,
    renewed,
)
from edgekd.lower.backends._tflite_ranges import measure_activations
from edgekd.lower.backends.tflite import _float_model
from edgekd.lower.graph import deploy_graph
from edgekd.lower.precision import Variant

Lowered = Callable[[str], Path]


def test_ranges_are_the_extremes_of_all_images(student: Any) -> None:
    ranges = measure_activations(float_content(student), student.images).ranges
    (logits,) = [name for name in ranges if "output_0" in name]
    assert ranges[logits]["min"] == pytest.approx(student.logits.min(), abs=1e-4)
    assert ranges[logits]["max"] == pytest.approx(student.logits.max(), abs=1e-4)


def test_infinite_padding_is_no_range() -> None:
    """A padded max pooling writes -inf, which no int8 scale can hold."""
    graph = deploy_graph(nn.Sequential(nn.MaxPool2d(3, 2, 1), *PLAIN), MEAN, STD)
    ranges = measure_activations(_float_model(graph, SIZE), noise()).ranges
    assert all(np.isfinite(one).all() for found in ranges.values() for one in found.values())


PLAIN = (nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def test_ranges_are_measured_once_for_all_variants(
    student: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = noise()
    runs = counted_invocations(monkeypatch)
    first = lower(student.graph, Variant(precision="int8"), images, tmp_path).read_bytes()
    assert len(runs) == 8
    mixed = Variant(precision="int8-mixed", float_layers=FLOAT_LAYERS)
    assert lower(student.graph, mixed, images.copy(), tmp_path).read_bytes() != first
    assert lower(student.graph, Variant(precision="int8"), images, tmp_path).read_bytes() == first
    assert len(runs) == 8


def counted_invocations(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Grows by one for each inference."""
    from ai_edge_litert.interpreter import Interpreter

    runs: list[None] = []
    invoke = Interpreter.invoke

    def counted(self: Interpreter) -> None:
        runs.append(None)
        invoke(self)

    monkeypatch.setattr(Interpreter, "invoke", counted)
    return runs


def test_ranges_are_not_those_of_other_images_or_another_network(student: Any) -> None:
    content, images = float_content(student), noise()
    first = measure_activations(content, images).ranges
    images[0] = 255  # the same array, other images
    second = measure_activations(content, images).ranges
    assert set(first) == set(second)
    assert different(first, second)
    graph = deploy_graph(renewed(student, "stem.0"), MEAN, STD)
    assert different(second, measure_activations(_float_model(graph, SIZE), images).ranges)


def different(one: dict[str, Any], other: dict[str, Any]) -> bool:
    shared = one.keys() & other.keys()
    assert len(shared) > 5
    return any((one[name]["max"] != other[name]["max"]).any() for name in shared)
