"""OpenVINO IR: `model.xml` and `model.bin`."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekd.errors import InputError
from edgekd.lower.backends._onnx_bias import Means
from edgekd.lower.backends._onnx_quantise import float_model, measured_of
from edgekd.lower.backends._openvino_bias import correct_biases
from edgekd.lower.backends._openvino_statistics import by_statistics, recording_statistics
from edgekd.lower.backends.base import (
    Backend,
    Calibration,
    check_precision,
    check_request,
    converting,
    missing_tool,
    quantising_by_ranges,
    versions_of,
)
from edgekd.lower.int8.recorded_ranges import RecordedRanges
from edgekd.lower.precision import Variant
from edgekd.runtime.telemetry import silence

if TYPE_CHECKING:
    import onnx

    from edgekd.lower.graph import DeployGraph

__all__ = ["OpenVinoBackend"]

_SIGNED_ACTIVATIONS = {"Elu", "Gelu", "HSwish", "Mish", "PRelu", "Softplus", "Swish", "Tanh"}


_AUTOMATIC_NAME = re.compile(r"([A-Z]\w*)_\d+$")

_WEIGHTED = {
    "Convolution",
    "ConvolutionBackpropData",
    "GroupConvolution",
    "GroupConvolutionBackpropData",
    "MatMul",
}


class OpenVinoBackend(Backend):
    """Lowers through ONNX (twice as quick as from the torch module, and it keeps the names)."""

    precisions = ("fp32", "fp16", "int8-mixed", "int8")

    def lower(
        self,
        graph: DeployGraph,
        image_size: int,
        variant: Variant,
        calibration: Calibration | None,
        out: Path,
    ) -> dict[str, str]:
        """Write `model.xml` and `model.bin`; see `Backend.lower`.

        fp16 halves the weights in the file; OpenVINO computes in what its device does best.

        Raises:
            InputError: Also where a float layer is not in the graph.
        """
        check_request(self, image_size, variant, calibration)
        means: Means = {}
        if variant.calibrated and calibration is not None:
            means = measured_of(graph, image_size, calibration).means
        return self._write(graph, image_size, variant, calibration, means, out)

    def measure(
        self, graph: DeployGraph, image_size: int, variant: Variant, calibration: Calibration
    ) -> RecordedRanges:
        """See `RangedBackend.measure`."""
        check_request(self, image_size, variant, calibration)
        means = measured_of(graph, image_size, calibration).means
        with recording_statistics() as tensors:
            _quantised(graph, image_size, variant, calibration, means)
        return RecordedRanges(tensors, len(calibration), means)

    def lower_by_ranges(
        self,
        graph: DeployGraph,
        image_size: int,
        variant: Variant,
        ranges: RecordedRanges,
        out: Path,
    ) -> dict[str, str]:
        """See `RangedBackend.lower_by_ranges`."""
        check_precision(self, variant)
        shape = (ranges.images, image_size, image_size, 3)
        blank = np.broadcast_to(np.uint8(0), shape)  # as many as were measured, never looked at
        with quantising_by_ranges("OpenVINO"), by_statistics(ranges.tensors):
            return self._write(graph, image_size, variant, blank, ranges.means, out)

    def _write(
        self,
        graph: DeployGraph,
        image_size: int,
        variant: Variant,
        calibration: Calibration | None,
        means: Mapping[str, NDArray[Any]],
        out: Path,
    ) -> dict[str, str]:
        tools = ["torch", "onnx", "onnxscript", "openvino"]
        if variant.calibrated and calibration is not None:
            model = _quantised(graph, image_size, variant, calibration, means)
            tools += ["onnxruntime", "nncf"]
        else:
            model = _converted(float_model(graph, image_size, "lower for OpenVINO"))
        _save(model, out / self.model_file, half=variant.precision == "fp16")
        return versions_of(*tools)


def _quantised(
    graph: DeployGraph,
    image_size: int,
    variant: Variant,
    calibration: Calibration,
    means: Mapping[str, NDArray[Any]],
) -> Any:
    """OpenVINO's model of the graph, with int8 weights and activations."""
    exported = float_model(graph, image_size, "lower for OpenVINO")
    model = _converted(exported)
    floats = list(_float_operations(model, exported, variant.float_layers))
    floats += _sums_of_subclasses(model, exported)
    quantised = _quantise(model, calibration, floats)
    if not graph.trained_in_int8:
        correct_biases(quantised, exported, means)
    return quantised


def _converted(exported: onnx.ModelProto) -> Any:
    silence()
    with (
        converting("OpenVINO", "lower for OpenVINO"),
        tempfile.TemporaryDirectory() as folder,
    ):
        import openvino

        file = Path(folder) / "model.onnx"
        file.write_bytes(exported.SerializeToString())
        return openvino.convert_model(str(file))


def _save(model: Any, file: Path, *, half: bool) -> None:
    import openvino

    _number_in_order(model)
    # Half-precision weights are a precision of their own, not a way to store fp32.
    openvino.save_model(model, str(file), compress_to_fp16=half)


def _number_in_order(model: Any) -> None:
    """Number, in the order of computation, what OpenVINO named itself (`Constant_18979`).

    Its own numbers count whatever the process has made before, so that the same network would
    give other files after another one.
    """
    operations = model.get_ordered_ops()
    matches = [_AUTOMATIC_NAME.match(one.get_friendly_name()) for one in operations]
    for number, (operation, match) in enumerate(zip(operations, matches, strict=True)):
        if match:
            operation.set_friendly_name(f"{match[1]}_{number}")


def _float_operations(
    model: Any, exported: onnx.ModelProto, layers: Sequence[str]
) -> Iterator[str]:
    """OpenVINO's names of the operations of the layers.

    Tensors keep ONNX's names, operations do not: a bias becomes an operation of its own, which
    takes the name, and the last operation is called after the output.
    """
    from edgekd.lower.onnx_export import layer_nodes

    outputs = {node.name: node.output[0] for node in exported.graph.node}
    sources = _sources(model)
    for layer, nodes in layer_nodes(exported, layers).items():
        for node in nodes:
            yield _weighted(sources.get(outputs[node]), layer).get_friendly_name()


def _sums_of_subclasses(model: Any, exported: onnx.ModelProto) -> list[str]:
    """OpenVINO's names of the operations that sum up subclasses, which stay float."""
    from edgekd.lower.onnx_export import subclass_nodes

    names = set(subclass_nodes(exported))
    tensors = [node.output[0] for node in exported.graph.node if node.name in names]
    sources = _sources(model)
    return [sources[tensor].get_friendly_name() for tensor in tensors if tensor in sources]


def _sources(model: Any) -> dict[str, Any]:
    """The operation that writes each tensor of ONNX's names."""
    return {
        name: port.get_node()
        for operation in model.get_ordered_ops()
        if operation.get_type_name() != "Result"
        for port in operation.outputs()
        for name in port.get_names()
    }


def _weighted(operation: Any, layer: str) -> Any:
    """`operation`, or the one whose bias it adds."""
    if operation is not None and operation.get_type_name() == "Add":
        operation = operation.input_value(0).get_node()
    if operation is None or operation.get_type_name() not in _WEIGHTED:
        message = f"OpenVINO's model has no operation for the layer {layer!r}"
        raise InputError(message, "leave this layer out of those that stay in float")
    return operation


def _quantise(model: Any, calibration: Calibration, floats: list[str]) -> Any:
    """`model` with int8 weights and activations, except for the operations in `floats`.

    Ranges of activations are the least and greatest value of all calibration images. NNCF's
    default averages each image's extremes, which cuts off the unusual images: on a trained
    MobileNetV2 it brought the correlation of the logits from 0.98 down to 0.94. Its own bias
    correction is left out: on a distilled ResNet-10 (897 HAM10000 images, first layer at
    full range) it raised the logits' error from 0.06 to 0.11, and flips from 1.2 to 1.9 %.

    Weights are kept within seven bits, as those for ONNX Runtime are (see `OnnxBackend`): eight
    saturate on a CPU without VNNI, and a device would compute other outputs than those judged.
    """
    try:
        import nncf
        from nncf.quantization.advanced_parameters import OverflowFix
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet
    except ImportError as error:
        raise missing_tool(error, "quantise for OpenVINO") from error
    ranges = RangeEstimatorParametersSet.MINMAX
    return nncf.quantize(
        model,
        nncf.Dataset([image[None] for image in calibration]),
        preset=nncf.QuantizationPreset(_preset(model)),
        subset_size=len(calibration),
        ignored_scope=nncf.IgnoredScope(names=floats) if floats else None,
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            activations_range_estimator_params=ranges,
            disable_bias_correction=True,
            overflow_fix=OverflowFix.ENABLE,
        ),
    )


def _preset(model: Any) -> str:
    """NNCF's preset: symmetric activations for ReLU networks, else asymmetric ones.

    OpenVINO's guide names `performance` the quickest on all hardware and `mixed` the choice for
    networks with negative activations. Symmetric loses nothing after a ReLU: NNCF takes the
    unsigned range there. Measured on MobileNetV2 (ReLU6): same speed, same accuracy.
    """
    kinds = {operation.get_type_name() for operation in model.get_ops()}
    return "mixed" if kinds & _SIGNED_ACTIVATIONS else "performance"
