"""OpenVINO's files: their names, and the operations that stay float."""

from __future__ import annotations

from typing import Any

import pytest

from backends.lowered_files import float_in_order
from edgekd.lower.precision import CALIBRATED


@pytest.mark.parametrize("precision", sorted(CALIBRATED))
def test_exactly_the_named_layers_are_float_in_openvino(precision: str, lowered: Any) -> None:
    import openvino

    folder = lowered("openvino", precision)
    model = openvino.Core().read_model(folder / "model.xml")
    kinds = ("Convolution", "GroupConvolution", "MatMul")
    weighted = [one for one in model.get_ordered_ops() if one.get_type_name() in kinds]
    found = [(rounded(one.input_value(0)), int8_constant(one.input_value(1))) for one in weighted]
    assert found == [(not is_float,) * 2 for is_float in float_in_order(precision)]


def rounded(port: Any) -> bool:
    """Whether a FakeQuantize gives the activations, behind operations that only move values."""
    kind = port.get_node().get_type_name()
    if kind in ("Gather", "Reshape", "Squeeze"):
        return rounded(port.get_node().input_value(0))
    return kind == "FakeQuantize"


def int8_constant(port: Any) -> bool:
    """Whether the weights are an int8 constant, behind what turns it into float."""
    node = port.get_node()
    if node.get_type_name() == "Constant":
        return str(node.get_element_type()) == "<Type: 'int8_t'>"
    return int8_constant(node.input_value(0))


def test_openvino_names_and_files(lowered: Any) -> None:
    import openvino

    folder = lowered("openvino", "fp32")
    assert sorted(file.name for file in folder.iterdir()) == ["model.bin", "model.xml"]
    model = openvino.Core().read_model(folder / "model.xml")
    assert (model.input("image").get_index(), model.output("logits").get_index()) == (0, 0)
