"""ONNX for TensorRT 10 and 11: `model.onnx`, from which the device builds its engine.

TensorRT 11 knows no precision flags and no calibrator: the precision stands in the ONNX, int8
as QuantizeLinear/DequantizeLinear pairs (signed, symmetric, zero point 0, weights per channel).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekd.errors import ArtefactError
from edgekd.lower.backends.base import (
    Calibration,
    Completion,
    check_request,
    missing_tool,
    versions_of,
)
from edgekd.runtime._telemetry import silence

if TYPE_CHECKING:
    import onnx

    from edgekd.lower.graph import DeployGraph

__all__ = ["TensorRtBackend"]

_QUANTISED = ["Conv", "ConvTranspose", "Gemm", "MatMul", "Add"]
_WEIGHTED = {"Conv", "ConvTranspose", "Gemm", "MatMul"}


class TensorRtBackend:
    """Lowers by torch's ONNX exporter and quantises by ONNX Runtime."""

    name: str = "tensorrt"
    precisions: tuple[str, ...] = ("fp32", "int8")
    model_file: str = "model.onnx"
    host_session: str = "onnx"
    completion: Completion = "finish-on-device"

    def lower(
        self,
        graph: DeployGraph,
        image_size: int,
        precision: str,
        calibration: Calibration | None,
        out: Path,
    ) -> dict[str, str]:
        """Write `model.onnx`; see `Backend.lower`.

        Raises:
            ArtefactError: The file would break one of TensorRT's rules (see `check_onnx`).
        """
        check_request(self, image_size, precision, calibration)
        silence()
        model, file = _float_model(graph, image_size), out / self.model_file
        tools = ["torch", "onnx", "onnxscript"]
        if precision == "int8" and calibration is not None:
            model = _quantise(model, calibration)
            tools.append("onnxruntime")
        _save(model, file)
        _check(file)
        return versions_of(*tools)


def _float_model(graph: DeployGraph, image_size: int) -> onnx.ModelProto:
    try:
        from edgekd.lower.onnx_export import export_onnx

        return export_onnx(graph, image_size)
    except ImportError as error:
        raise missing_tool(error, "lower for TensorRT") from error


def _save(model: onnx.ModelProto, file: Path) -> None:
    import onnx

    onnx.save(model, file)


def _check(file: Path) -> None:
    from edgekd.lower.onnx_lint import check_onnx

    findings = check_onnx(file)
    if findings:
        message = f"TensorRT would refuse {file.name}: {'; '.join(findings)}"
        raise ArtefactError(message, "choose another student, or precision fp32")


def _quantise(model: onnx.ModelProto, calibration: Calibration) -> onnx.ModelProto:
    """`model` with Q/DQ pairs where TensorRT wants them.

    Only inputs of convolutions, linear layers and residual sums are quantised. A pair between a
    convolution and its ReLU, which ONNX Runtime would set too, keeps TensorRT from fusing them
    and rounds twice. Biases stay float, since an int32 DequantizeLinear is not known everywhere.
    """
    try:
        import onnx
        from onnxruntime import quantization as ort
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise missing_tool(error, "quantise for TensorRT") from error
    with tempfile.TemporaryDirectory() as folder:
        prepared, quantised = Path(folder) / "prepared.onnx", Path(folder) / "quantised.onnx"
        quant_pre_process(model, str(prepared))
        ort.quantize_static(
            prepared,
            quantised,
            _Reader(calibration),
            quant_format=ort.QuantFormat.QDQ,
            op_types_to_quantize=_QUANTISED,
            per_channel=True,
            activation_type=ort.QuantType.QInt8,
            weight_type=ort.QuantType.QInt8,
            nodes_to_exclude=_before_network(onnx.load(prepared)),
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "QuantizeBias": False,
                "OpTypesToExcludeOutputQuantization": _QUANTISED,
            },
        )
        return _cleaned(onnx.load(quantised))


def _cleaned(model: onnx.ModelProto) -> onnx.ModelProto:
    from edgekd.lower.onnx_export import clean_model

    return clean_model(model)


def _before_network(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes between the image and the first weighted layer: cast, normalisation."""
    reached, names = {entry.name for entry in model.graph.input}, []
    for node in model.graph.node:  # in topological order
        if node.op_type not in _WEIGHTED and reached.intersection(node.input):
            reached.update(node.output)
            names.append(node.name)
    return names


class _Reader:
    """Hands the calibration images to ONNX Runtime, one by one."""

    def __init__(self, calibration: Calibration) -> None:
        self._images: Iterator[Any] = iter(calibration)

    def get_next(self) -> dict[str, Any] | None:
        image = next(self._images, None)
        return None if image is None else {"image": image[None]}
