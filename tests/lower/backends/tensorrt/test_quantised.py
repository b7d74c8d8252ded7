"""Rules for QuantizeLinear and DequantizeLinear: each finding names its node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from lint_models import Change, good_model, save, set_constant
from onnx import helper, numpy_helper

from edgekd.lower.backends.tensorrt.lint import check_onnx
from edgekd.lower.backends.tensorrt.quantised import quantisation_findings


def asymmetric(model: onnx.ModelProto) -> None:
    set_constant(model, "zero", np.int8(-5))


def unsigned(model: onnx.ModelProto) -> None:
    set_constant(model, "zero", np.uint8(0))


def without_zero_point(model: onnx.ModelProto) -> None:
    for node in model.graph.node[2:4]:
        del node.input[2]


def with_scale(*values: float) -> Change:
    def change(model: onnx.ModelProto) -> None:
        many = len(values) > 1
        set_constant(model, "scale", np.float32(values if many else values[0]))
        set_constant(model, "zero", np.zeros(len(values) if many else (), np.int8))

    return change


def quantised_weights(axis: int, scales: int) -> Change:
    """int8 weights [2, 3, 1, 1] with a scale for each channel of an axis."""

    def change(model: onnx.ModelProto) -> None:
        constants = {
            "weight_q": np.ones((2, 3, 1, 1), np.int8),
            "weight_scale": np.ones(scales, np.float32),
            "weight_zero": np.zeros(scales, np.int8),
        }
        for name, value in constants.items():
            model.graph.initializer.append(numpy_helper.from_array(value, name))
        node = helper.make_node("DequantizeLinear", list(constants), ["dqw"], "weights", axis=axis)
        model.graph.node.insert(4, node)
        model.graph.node[5].input[1] = "dqw"

    return change


def int8_scalar(model: onnx.ModelProto) -> None:
    constants = {"one": np.int8(127), "one_scale": np.float32(1 / 127), "one_zero": np.int8(0)}
    for name, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    model.graph.node.insert(4, helper.make_node("DequantizeLinear", list(constants), ["1"], "one"))
    model.graph.node.insert(5, helper.make_node("Add", ["dq", "1"], ["more"], "add"))
    model.graph.node[6].input[0] = "more"


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (asymmetric, "node 'quantise' (QuantizeLinear) is asymmetric: its zero point is not 0"),
        (unsigned, "node 'quantise' (QuantizeLinear) has uint8 values, not int8"),
        (without_zero_point, "node 'dequantise' (DequantizeLinear) has no constant zero point"),
        (with_scale(0.0), "node 'quantise' (QuantizeLinear) has a scale that is not positive"),
        (with_scale(-1.0), "node 'dequantise' (DequantizeLinear) has a scale that is not positive"),
        (with_scale(np.inf), "node 'quantise' (QuantizeLinear) has a scale that is not finite"),
        (with_scale(np.nan), "node 'quantise' (QuantizeLinear) has a scale that is not finite"),
        (with_scale(1, 1, 1), "node 'quantise' (QuantizeLinear) has 3 scales for an activation"),
        (int8_scalar, "node 'one' (DequantizeLinear) gives a scalar in int8"),
        (
            quantised_weights(1, 3),
            "node 'weights' (DequantizeLinear) has scales along axis 1 of the weights of node "
            "'conv' (Conv): quantise them along axis 0",
        ),
        (
            quantised_weights(0, 3),
            "node 'weights' (DequantizeLinear) has 3 scales for 2 channels of axis 0",
        ),
    ],
)
def test_findings_name_the_node(change: Change, finding: str, tmp_path: Path) -> None:
    model = good_model()
    change(model)
    findings = check_onnx(save(model, tmp_path))
    assert any(found.startswith(finding) for found in findings), findings


def test_weights_with_a_scale_for_each_output_channel(tmp_path: Path) -> None:
    model = good_model()
    quantised_weights(0, 2)(model)
    assert check_onnx(save(model, tmp_path)) == []


def findings_of(change: Change) -> list[str]:
    """Findings of the rules for Q/DQ nodes alone."""
    model = good_model()
    change(model)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    return list(quantisation_findings(model.graph, constants))


def test_a_good_model_gives_no_finding_and_each_spoilt_pair_gives_two() -> None:
    assert findings_of(lambda model: None) == []
    for change in (asymmetric, unsigned, without_zero_point, with_scale(0.0), with_scale(np.nan)):
        assert len(findings_of(change)) == 2  # one for each node of the pair


def test_scales_and_zero_points_that_are_computed_are_findings() -> None:
    model = good_model()
    sentences = list(quantisation_findings(model.graph, {}))
    assert sum("has no constant scale" in sentence for sentence in sentences) == 2
    assert sum("has no constant zero point" in sentence for sentence in sentences) == 2


@pytest.mark.parametrize(("axis", "findings"), [(0, 0), (-4, 0), (1, 1), (-3, 1)])
def test_axes_count_from_either_end(axis: int, findings: int) -> None:
    """Weights [2, 3, 1, 1]: axis 0 has the output channels, axis 1 the inputs."""
    scales = 2 if axis in (0, -4) else 3
    assert len(findings_of(quantised_weights(axis, scales))) == findings
