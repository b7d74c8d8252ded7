"""TensorFlow Lite files of every precision: their contract, and what cuts them in pieces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
from torch import nn

from backends.lowered_files import CLASSES, SIZE
from backends.tflite_files import (
    BACKEND,
    MEAN,
    STD,
    assert_layers_are_told_apart,
    lower,
    noise,
    timm_graph,
)
from edgekd.lower.graph import deploy_graph
from edgekd.lower.precision import LADDER, Variant
from edgekd.runtime.sessions import open_session

Lowered = Callable[[str], Path]


def slow(*values: object) -> object:
    """A case of `make slow`."""
    return pytest.param(*values, marks=pytest.mark.slow)


def test_every_precision_of_the_ladder_is_offered() -> None:
    assert sorted(BACKEND.precisions) == sorted(LADDER)


@pytest.mark.parametrize(
    ("precision", "tolerance"),
    [("fp32", 1e-5), ("fp16", 2e-3), ("int8-weights", 0.03), ("int8-mixed", 0.1), ("int8", 0.1)],
)
def test_file_keeps_contract_and_judgement(
    precision: str, tolerance: float, tflite_file: Lowered, student: Any
) -> None:
    session = open_session("tflite", tflite_file(precision), threads=1)
    assert (session.input_shape, session.output_shape) == ((1, SIZE, SIZE, 3), (1, CLASSES))
    logits = np.concatenate([session.run(image[None]) for image in student.images])
    assert logits.dtype == np.float32
    difference = np.sqrt(((logits - student.logits) ** 2).mean()) / student.logits.std()
    assert difference < tolerance
    assert (logits.argmax(1) == student.logits.argmax(1)).mean() >= 0.95
    # XNNPACK takes all of it, whatever the precision.
    assert session.facts["xnnpack_partitions"] == 1


def test_precisions_differ_and_are_ordered(tflite_file: Lowered, student: Any) -> None:
    """Coarser weights, coarser answers: no variant is another one under a new name."""
    errors = [
        error_of(tflite_file(name), student) for name in ("fp32", "fp16", "int8-weights", "int8")
    ]
    assert errors == sorted(errors)
    assert len(set(errors)) == 4
    assert errors[-1] > error_of(tflite_file("int8-mixed"), student)


def error_of(file: Path, student: Any) -> float:
    session = open_session("tflite", file, threads=1)
    logits = np.concatenate([session.run(image[None]) for image in student.images])
    return float(((logits - student.logits) ** 2).mean())


@pytest.mark.slow
def test_hard_swish_is_a_concern_for_a_reason(tmp_path: Path) -> None:
    graph = timm_graph("mobilenetv3_small_050")
    (concern,) = BACKEND.concerns(graph.network)
    assert concern.startswith("19 hard-swish layers cut the int8 file in pieces")
    file = lower(graph, Variant(precision="int8"), noise(), tmp_path)
    assert open_session("tflite", file).facts["xnnpack_partitions"] == 20
    assert_layers_are_told_apart(graph, 54)


@pytest.mark.parametrize(
    ("activation", "partitions", "said"),
    [
        (nn.SiLU, 1, None),
        (nn.Hardswish, 4, "3 hard-swish layers cut"),
        slow(timm.layers.activations.HardSwish, 4, "3 hard-swish layers cut"),
        slow(nn.GELU, 4, "3 GELU layers cut"),
        slow(nn.PReLU, 4, "3 PReLU layers cut"),
    ],
)
def test_concerns_are_said_where_the_file_is_cut(
    activation: type[nn.Module],
    partitions: int,
    said: str | None,
    student: Any,
    tmp_path: Path,
) -> None:
    network = with_activation(type(student.network)(), activation).eval()
    concerns = BACKEND.concerns(network)
    assert [text.startswith(said or "?") for text in concerns] == ([True] if said else [])
    graph = deploy_graph(network, MEAN, STD)
    file = lower(graph, Variant(precision="int8"), noise(), tmp_path)
    assert open_session("tflite", file).facts["xnnpack_partitions"] == partitions


@pytest.mark.parametrize(
    ("activation", "concern"),
    [
        (timm.layers.activations.HardSwish, "3 hard-swish layers cut"),
        (nn.GELU, "3 GELU layers cut"),
        (nn.PReLU, "3 PReLU layers cut"),
    ],
)
def test_each_activation_that_cuts_the_file_is_a_concern(
    activation: type[nn.Module], concern: str, student: Any
) -> None:
    (text,) = BACKEND.concerns(with_activation(type(student.network)(), activation))
    assert text.startswith(concern)


def test_a_relu6_student_gives_no_concern(student: Any) -> None:
    assert BACKEND.concerns(student.network) == ()


def test_one_layer_is_told_in_the_singular() -> None:
    (concern,) = BACKEND.concerns(nn.Sequential(nn.Conv2d(3, 4, 1), nn.GELU()))
    assert concern.startswith("1 GELU layer cuts")


def with_activation(network: nn.Module, activation: type[nn.Module]) -> nn.Module:
    for name, child in network.named_children():
        if isinstance(child, nn.ReLU6):
            setattr(network, name, activation())
        else:
            with_activation(child, activation)
    return network
