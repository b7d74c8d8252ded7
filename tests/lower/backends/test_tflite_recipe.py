"""Recipes of AI Edge Quantizer: types of weights and arithmetic, and what stays float."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.lowered_files import answers
from backends.tflite_files import (
    LAYERS,
    WEIGHTED,
    float_content,
    noise,
    read,
)
from edgekd.lower.backends._tflite_layers import scopes_of
from edgekd.lower.backends._tflite_ranges import measure_activations
from edgekd.lower.backends._tflite_recipe import quantise_activations, quantise_weights

Lowered = Callable[[str], Path]


@pytest.mark.parametrize(
    ("precision", "weights", "arithmetic"),
    [
        ("fp32", "float32", "float32"),
        ("fp16", "float16", "float32"),
        ("int8-weights", "int8", "float32"),
        ("int8", "int8", "int8"),
    ],
)
def test_weights_and_arithmetic(
    precision: str, weights: str, arithmetic: str, tflite_file: Lowered
) -> None:
    operators = [one for one in read(tflite_file(precision)) if one.kind in WEIGHTED]
    assert len(operators) == len(LAYERS)
    assert {(one.weight, one.arithmetic) for one in operators} == {(weights, arithmetic)}


def test_float_stem_is_not_rounded_before_its_padding(tflite_file: Lowered) -> None:
    kinds = [one.kind for one in read(tflite_file("int8-mixed"))]
    assert kinds[:6] == ["CAST", "MUL", "ADD", "PAD", "CONV_2D", "QUANTIZE"]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_tflite_is_one_partition_without_transposes(
    precision: str, lowered: Any, student: Any
) -> None:
    folder = lowered("tflite", precision)
    _, facts = answers("tflite", folder, student)
    assert facts["xnnpack_partitions"] == 1
    counts = tflite_operators(folder / "model.tflite")
    assert counts["TRANSPOSE"] == 0
    assert counts["CAST"] == 1
    # One way into int8 and one out of it: the normalisation before stays float.
    assert counts["QUANTIZE"] == counts["DEQUANTIZE"] == (precision == "int8")


def tflite_operators(file: Path) -> Counter[str]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        str(file),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    return Counter(operator["op_name"] for operator in interpreter._get_ops_details())


def test_tflite_normalises_before_it_quantises(lowered: Any) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(lowered("tflite", "int8") / "model.tflite"))
    names = [operator["op_name"] for operator in interpreter._get_ops_details()]
    assert names[:4] == ["CAST", "MUL", "ADD", "QUANTIZE"]


@pytest.mark.parametrize(("precision", "weight"), [("int8-weights", "int8"), ("fp16", "float16")])
def test_small_weights_are_those_of_the_float_file_rounded(
    precision: str, weight: str, student: Any, tmp_path: Path
) -> None:
    content = float_content(student)
    files = {}
    for name, written in (("float", content), ("small", quantise_weights(content, precision))):
        files[name] = tmp_path / f"{name}.tflite"
        files[name].write_bytes(written)
    weights = [one.weights for one in read(files["float"]) if one.kind in WEIGHTED]
    small = [one.weights for one in read(files["small"]) if one.kind in WEIGHTED]
    assert {array.dtype.name for array in small} == {weight}
    for exact, stored in zip(weights, small, strict=True):
        assert exact.shape == stored.shape
        assert np.corrcoef(exact.ravel(), stored.astype(np.float32).ravel())[0, 1] > 0.9


def test_scopes_that_are_kept_are_names_and_no_patterns(student: Any) -> None:
    """A scope has dots and semicolons, and `.*` would keep all of the file."""
    content = float_content(student)
    ranges = measure_activations(content, noise()).ranges
    whole = quantise_activations(content, ranges)
    assert quantise_activations(content, ranges, [".*"]) == whole
    (scope,) = scopes_of(content, student.network, ["blocks.1.body.0"])[-1:]
    assert quantise_activations(content, ranges, [scope]) != whole
