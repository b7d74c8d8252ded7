"""Files for TensorRT: its rules are kept, and pairs stand where it fuses them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from backends.lowered_files import float_in_order, weighted_sources

from edgekd.lower.backends import get_backend
from edgekd.lower.backends.tensorrt.lint import check_onnx
from edgekd.lower.precision import CALIBRATED


@pytest.mark.parametrize("precision", sorted(CALIBRATED))
def test_exactly_the_named_layers_are_float_for_tensorrt(precision: str, lowered: Any) -> None:
    for is_float, sources in zip(
        float_in_order(precision), weighted_sources(lowered("tensorrt", precision)), strict=True
    ):
        assert [source == "DequantizeLinear" for source in sources] == [not is_float] * 2


@pytest.mark.parametrize("precision", get_backend("tensorrt").precisions)
def test_onnx_keeps_tensorrts_rules(precision: str, lowered: Any) -> None:
    assert check_onnx(lowered("tensorrt", precision) / "model.onnx") == []


def test_half_precision_starts_behind_the_normalisation(lowered: Any) -> None:
    import onnx
    from onnx import TensorProto

    graph = onnx.load(lowered("tensorrt", "fp16") / "model.onnx").graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for node in graph.node:
        float_inputs = {kinds[name] for name in node.input if name in kinds} - {TensorProto.INT64}
        if node.name.startswith("normalisation/"):
            assert float_inputs <= {TensorProto.FLOAT}
        else:
            assert float_inputs <= {TensorProto.FLOAT16}
    casts = [node for node in graph.node if node.op_type == "Cast"]
    assert [node.attribute[0].i for node in casts] == [
        TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.FLOAT,
    ]  # fmt: skip


@pytest.mark.skipif(
    find_spec("tensorrt_rtx_bindings") is None,
    reason="pip install 'edgekd[tensorrt-check]'",
)
@pytest.mark.parametrize("precision", get_backend("tensorrt").precisions)
def test_tensorrt_builds_every_precision(precision: str, lowered: Any, tmp_path: Path) -> None:
    from edgekd.lower.backends.tensorrt.builder import build_engine
    from edgekd.lower.backends.tensorrt.library import load_tensorrt_rtx

    report = build_engine(
        lowered("tensorrt", precision) / "model.onnx",
        tmp_path / "model.engine",
        trt=load_tensorrt_rtx(),
        workspace_bytes=1 << 28,
        compute_capabilities=("SM86", "SM89"),
    )
    assert report.bytes > 10_000


def test_onnx_is_quantised_where_tensorrt_fuses(lowered: Any) -> None:
    import onnx

    graph = onnx.load(lowered("tensorrt", "int8") / "model.onnx").graph
    producer = {output: node for node in graph.node for output in node.output}
    weighted = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    assert len(weighted) == 6
    for node in weighted:
        assert [producer[name].op_type for name in node.input[:2]] == ["DequantizeLinear"] * 2
    relus = [node for node in graph.node if node.op_type == "Clip"]
    assert [producer[node.input[0]].op_type for node in relus] == ["Conv"] * 3
    assert graph.output[0].name in weighted[-1].output  # the logits stay float


def test_onnx_tells_nothing_of_this_machine(lowered: Any) -> None:
    content = (lowered("tensorrt", "fp32") / "model.onnx").read_bytes()
    assert str(Path(__file__).parent).encode() not in content
    assert b"site-packages" not in content
