"""Post-training quantisation of ONNX by ONNX Runtime's tools; `tensorrt` and `onnx` share it.

The float export, what ONNX Runtime's optimiser makes of it, and what calibration images tell of its
tensors are cached, since one process lowers a student to several variants.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgekd.errors import ArtefactError
from edgekd.lower.backends._onnx_bias import (
    Means,
    layers_with_bias,
    mean_inputs,
    with_corrected_biases,
)
from edgekd.lower.backends.base import Calibration, converting, missing_tool
from edgekd.lower.int8.recorded_ranges import RecordedRanges
from edgekd.runtime.sessions.onnx import FULL_RANGE

if TYPE_CHECKING:
    import onnx

    from edgekd.lower.graph import DeployGraph

__all__ = [
    "Images",
    "Measured",
    "Preset",
    "Ranges",
    "before_network",
    "float_model",
    "in_order",
    "measure",
    "measured_of",
    "prepared_model",
    "quantise",
    "recorded",
]

Ranges = dict[str, tuple[Any, Any]]
"""Least and greatest value of each float tensor, as float32 scalars."""

_ACTIVATIONS = {"Clip", "Relu"}


@dataclass(frozen=True)
class Measured:
    """What calibration images tell of a graph.

    Attributes:
        ranges: Range of each float tensor.
        means: Mean input at each position of the kernel, of each layer with a bias.
    """

    ranges: Ranges
    means: Means


@dataclass(frozen=True)
class Preset:
    """How an engine needs a quantised model.

    Attributes:
        operators: Operators to quantise.
        activations: Name of ONNX Runtime's type of the activations, weights are `QInt8`.
        seven_bits: Whether weights are kept within -64..64. Where they are not, the file is marked,
            and ONNX Runtime is kept from its integer kernels (see `FULL_RANGE`).
        float_outputs: Whether the engine has integer layers whose output is float. Where it
            has none, a float layer reads what its integer neighbour rounded.
        constant_sums: Whether to quantise also sums with a constant (the 1 + erf of a GELU, the
            bias behind a MatMul), or only those of two branches.
        options: Further options of ONNX Runtime's quantiser.
    """

    operators: tuple[str, ...]
    activations: str
    seven_bits: bool
    float_outputs: bool
    constant_sums: bool = True
    options: dict[str, Any] = field(default_factory=dict)


class Images:
    """Calibration images; two sets are equal if all their pixels are."""

    def __init__(self, pixels: Calibration) -> None:
        self.pixels = pixels
        self._digest = hashlib.sha256(np.ascontiguousarray(pixels).data).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Images) and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)


def float_model(graph: DeployGraph, image_size: int, purpose: str) -> onnx.ModelProto:
    """The float ONNX model of `export_onnx`, which is cached; do not change it.

    Raises:
        UnconvertibleError: The network has no form in ONNX.
        MissingDependencyError: A tool is not installed; it is needed to `purpose`.
    """
    with converting("torch's ONNX exporter", purpose):
        from edgekd.lower.onnx_export import export_onnx

        return export_onnx(graph, image_size)


def quantise(
    graph: DeployGraph,
    image_size: int,
    measured: Measured,
    float_layers: Sequence[str],
    preset: Preset,
) -> onnx.ModelProto:
    """The graph with Q/DQ pairs where `preset` requires them, but none at the float layers.

    Normalisation stays float too: it is cheap, and the normalised image is rounded once. So do the
    sums of subclasses, whose small probabilities int8 would lose. Biases make up for the rounding
    of weights, unless the weights were trained with it.

    Raises:
        InputError: There is no layer of one of the names.
        MissingDependencyError: A tool is not installed.
    """
    from edgekd.lower.onnx_export import clean_model, layer_nodes, subclass_nodes

    model = copy.deepcopy(prepared_model(graph, image_size))
    floats = [name for nodes in layer_nodes(model, float_layers).values() for name in nodes]
    excluded = [*before_network(model), *floats, *subclass_nodes(model)]
    if not preset.constant_sums:
        excluded += _constant_sums(model.graph)
    if not graph.trained_in_int8:
        integers = {name: mean for name, mean in measured.means.items() if name not in excluded}
        with_corrected_biases(model, integers, greatest=64 if preset.seven_bits else 127)
    quantised = _with_pairs(model, measured.ranges, excluded, preset)
    _feed_unrounded(quantised.graph, floats, behind_integers=preset.float_outputs)
    quantised = clean_model(quantised)
    if not preset.seven_bits:
        quantised.metadata_props.add(key=FULL_RANGE, value="yes")
    return quantised


def before_network(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes between the image and the first weighted layer: cast, normalisation."""
    from edgekd.lower.onnx_export import WEIGHTED

    reached, names = {entry.name for entry in model.graph.input}, []
    for node in model.graph.node:  # in topological order
        if node.op_type not in WEIGHTED and reached.intersection(node.input):
            reached.update(node.output)
            names.append(node.name)
    return names


def _constant_sums(graph: onnx.GraphProto) -> list[str]:
    constants = {tensor.name for tensor in graph.initializer}
    return [
        node.name
        for node in graph.node
        if node.op_type == "Add" and not constants.isdisjoint(node.input)
    ]


def in_order(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with its nodes sorted, in place: ONNX Runtime's tools append theirs at the end."""
    from onnxruntime.quantization.onnx_model import ONNXModel

    ONNXModel(model).topological_sort()
    return model


def measured_of(
    graph: DeployGraph, image_size: int, source: Calibration | RecordedRanges
) -> Measured:
    """What was recorded, or what calibration images tell.

    Raises:
        ArtefactError: Recorded ranges lack a tensor of the graph.
    """
    if not isinstance(source, RecordedRanges):
        return measure(graph, image_size, Images(source))
    ranges: Ranges = dict(source.tensors)
    absent = set(_float_tensors(prepared_model(graph, image_size).graph)) - ranges.keys()
    if absent:
        message = f"the recorded ranges lack {min(absent)!r} of the network's ONNX"
        raise ArtefactError(message, "install the versions that recorded them")
    return Measured(ranges, dict(source.means))


def recorded(graph: DeployGraph, image_size: int, calibration: Calibration) -> RecordedRanges:
    """What calibration images tell, to be recorded in their place."""
    measured = measured_of(graph, image_size, calibration)
    return RecordedRanges(measured.ranges, len(calibration), measured.means)


@functools.lru_cache(maxsize=1)
def measure(graph: DeployGraph, image_size: int, images: Images) -> Measured:
    """Least and greatest value of each float tensor over all images, and mean inputs of layers.

    Extremes are not averaged over images, which would cut off the unusual ones. The input of a ReLU
    gets the range of its output, as ONNX Runtime's quantiser would set it anyway, so that the
    convolution before it stays fused with it; with ONNX Runtime's own calibrator, which reads
    every tensor and optimises nothing, 512 images took 2.5 times as long.
    """
    model = prepared_model(graph, image_size)
    inner = _before_activations(model.graph)
    names = [name for name in _float_tensors(model.graph) if name not in inner]
    layers = layers_with_bias(model)
    inputs = list(dict.fromkeys(node.input[0] for node in layers))
    session = _open(_with_outputs(_with_extremes(model, names), inputs))
    least, greatest = np.full(len(names), np.inf), np.full(len(names), -np.inf)
    sums = [np.zeros(1)] * len(inputs)
    for image in images.pixels:
        outputs = session.run(None, {"image": image[None]})
        extremes = np.asarray(outputs[: 2 * len(names)])
        least = np.minimum(least, extremes[: len(names)])
        greatest = np.maximum(greatest, extremes[len(names) :])
        sums = [known + one for known, one in zip(sums, outputs[2 * len(names) :], strict=True)]
    pairs = zip(least.astype(np.float32), greatest.astype(np.float32), strict=True)
    ranges = dict(zip(names, pairs, strict=True))
    ranges |= {tensor: ranges[output] for tensor, output in inner.items()}
    means = {name: total / len(images.pixels) for name, total in zip(inputs, sums, strict=True)}
    return Measured(ranges, {node.name: mean_inputs(node, means[node.input[0]]) for node in layers})


@functools.lru_cache(maxsize=1)
def prepared_model(graph: DeployGraph, image_size: int) -> onnx.ModelProto:
    """The export with shapes of all tensors and constants folded, every node with a name.

    It is cached for the next variant; do not change it.

    Raises:
        MissingDependencyError: A tool is not installed.
    """
    model = float_model(graph, image_size, "quantise ONNX")
    try:
        import onnx
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise missing_tool(error, "quantise ONNX") from error
    with tempfile.TemporaryDirectory() as folder:
        given, file = Path(folder) / "exported.onnx", Path(folder) / "prepared.onnx"
        onnx.save(_without_shapes(model), given)
        # Every shape is fixed, so ONNX's own inference is enough; ONNX Runtime's symbolic one stops
        # at a ReduceMax of this operator set.
        quant_pre_process(str(given), str(file), skip_symbolic_shape=True)
        prepared = onnx.load(file)
    for index, node in enumerate(prepared.graph.node):
        # ONNX Runtime's optimiser leaves some nameless, and nodes are excluded by name.
        node.name = node.name or f"optimised/{node.op_type}_{index}"
    return prepared


def _without_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy without recorded shapes, which are inferred again; the exporter adds the weights."""
    bare = copy.deepcopy(model)
    del bare.graph.value_info[:]
    return bare


def _with_pairs(
    model: onnx.ModelProto, ranges: Ranges, excluded: list[str], preset: Preset
) -> onnx.ModelProto:
    from onnxruntime.quantization import CalibrationMethod, QuantType
    from onnxruntime.quantization.calibrate import TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    quantizer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=preset.seven_bits,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType[preset.activations],
        # A new dictionary each time, because the quantiser changes it.
        tensors_range=TensorsData(CalibrationMethod.MinMax, dict(ranges)),
        nodes_to_quantize=[],
        nodes_to_exclude=excluded,
        op_types_to_quantize=list(preset.operators),
        extra_options={"WeightSymmetric": True, **preset.options},
    )
    return in_order(quantizer.quantize_model())


def _feed_unrounded(
    graph: onnx.GraphProto, floats: Collection[str], *, behind_integers: bool
) -> None:
    """Let float layers read a tensor itself where they were given its Q/DQ pair.

    ONNX Runtime's quantiser gives the pair to all readers of a tensor as soon as one of them is
    quantised. Where `behind_integers` is false, a tensor that an integer layer wrote stays
    rounded: read in float, it would keep the engine from running that layer in integers.
    """
    producers = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        for index, name in enumerate(node.input if node.name in floats else ()):
            pair = _pair(producers, name)
            if pair and (behind_integers or not _is_integer(producers, pair.input[0])):
                node.input[index] = pair.input[0]


def _pair(producers: dict[str, onnx.NodeProto], name: str) -> onnx.NodeProto | None:
    """The QuantizeLinear of the Q/DQ pair that gives the tensor, if one does."""
    last = producers.get(name)
    if last is None or last.op_type != "DequantizeLinear":
        return None
    first = producers.get(last.input[0])
    return first if first is not None and first.op_type == "QuantizeLinear" else None


def _is_integer(producers: dict[str, onnx.NodeProto], name: str) -> bool:
    """Whether the tensor comes from a node with dequantised inputs."""
    node = producers.get(name)
    sources = [producers.get(source) for source in node.input] if node else []
    return any(source is not None and source.op_type == "DequantizeLinear" for source in sources)


def _before_activations(graph: onnx.GraphProto) -> dict[str, str]:
    """Output of each ReLU by its input, where no other node reads the input."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    return {
        name: nodes[0].output[0]
        for name, nodes in readers.items()
        if len(nodes) == 1 and nodes[0].op_type in _ACTIVATIONS and nodes[0].input[0] == name
    }


def _float_tensors(graph: onnx.GraphProto) -> list[str]:
    from onnx import TensorProto

    kinds = {entry.name: entry.type.tensor_type.elem_type for entry in graph.value_info}
    kinds |= {entry.name: entry.type.tensor_type.elem_type for entry in graph.output}
    outputs = [name for node in graph.node for name in node.output]
    return [name for name in outputs if kinds.get(name) == TensorProto.FLOAT]


def _with_extremes(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """`model` whose outputs are the least values of all the tensors, then the greatest."""
    from onnx import TensorProto, helper

    augmented = copy.deepcopy(model)
    del augmented.graph.output[:]
    for operator in ("ReduceMin", "ReduceMax"):
        for name in names:
            output = f"{name}/{operator}"
            augmented.graph.node.append(
                helper.make_node(operator, [name], [output], f"extremes/{output}", keepdims=0)
            )
            augmented.graph.output.append(
                helper.make_tensor_value_info(output, TensorProto.FLOAT, [])
            )
    return augmented


def _with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """`model`, in place, with further tensors among its outputs."""
    from onnx import TensorProto, helper

    for name in names:
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return model


def _open(model: onnx.ModelProto) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
