"""Files for ONNX Runtime: what it computes in integers, and which networks int8 slows down."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.lowered_files import float_in_order, weighted_sources
from edgekd.lower.backends import get_backend
from edgekd.lower.precision import CALIBRATED


@pytest.mark.parametrize("precision", sorted(CALIBRATED))
def test_exactly_the_named_layers_have_float_weights_in_onnx(precision: str, lowered: Any) -> None:
    found = weighted_sources(lowered("onnx", precision))
    weights = [weight == "DequantizeLinear" for _, weight in found]
    assert weights == [not is_float for is_float in float_in_order(precision)]


def test_onnx_runs_whole_in_integers(lowered: Any, tmp_path: Path) -> None:
    """ONNX Runtime makes integer operators of all that lies between stem and head."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    file = str(lowered("onnx", "int8") / "model.onnx")
    onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    counts = Counter(node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node)
    assert (counts["QLinearConv"], counts["QLinearAdd"], counts["QGemm"]) == (5, 2, 1)
    assert counts["Conv"] == counts["Gemm"] == 0


def test_onnx_weights_cannot_saturate_sixteen_bits(lowered: Any) -> None:
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(lowered("onnx", "int8") / "model.onnx").graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights = [array for name, array in stored.items() if name.endswith(".weight_quantized")]
    assert len(weights) == 6
    assert {weight.dtype for weight in weights} == {np.dtype(np.int8)}
    assert max(int(np.abs(weight.astype(int)).max()) for weight in weights) == 64


def test_onnx_warns_of_activations_that_make_int8_slow(student: Any) -> None:
    from torch import nn

    backend = get_backend("onnx")
    assert backend.concerns(student.network) == ()
    (said,) = backend.concerns(nn.Sequential(student.network, nn.Hardswish()))
    assert "hard-swish" in said
    assert get_backend("tensorrt").concerns(nn.Hardswish()) == ()
