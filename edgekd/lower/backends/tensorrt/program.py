"""`model.pt2`: the lowered file as a program of PyTorch, for torch-tensorrt.

It is made of `model.onnx` itself, node by node, rather than of the network again: pairs stand at
the same places with the same ranges, types change where the file changes them, and batch norms are
folded as there. A Q/DQ pair is one `fake_quantize` of PyTorch, which `compiled` makes a pair of
TensorRT's layers again.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekd.errors import ArtefactError, EdgekdError, reason_of
from edgekd.files import atomic_write
from edgekd.lower.backends.base import UnconvertibleError, converting
from edgekd.lower.backends.tensorrt.translation import TRANSLATIONS

if TYPE_CHECKING:
    import onnx
    from torch.export import ExportedProgram

__all__ = [
    "PAIRS",
    "load_program",
    "pairs_of",
    "program_of",
    "save_program",
]

PAIRS = (
    torch.ops.aten.fake_quantize_per_tensor_affine.default,
    torch.ops.aten.fake_quantize_per_channel_affine.default,
)
"""Operators that stand for a Q/DQ pair."""

_LOWEST, _HIGHEST = -128, 127
_OF_THIS_MACHINE = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node")
_HINT = "leave --via out: the device then builds its engine from ONNX"

# Members of an archive that are read without unpickling anything; the archive's name comes first.
_PLAIN = re.compile(
    r"[^/]+/(archive_format|archive_version|byteorder|\.data/(version|serialization_id)"
    r"|models/model\.json|data/(weights|constants)/model_\w+_config\.json"
    r"|data/(weights/weight|constants/tensor)_\d+)"
)
_SAMPLE = re.compile(r"[^/]+/data/sample_inputs/model\.pt")


def program_of(file: Path) -> ExportedProgram:
    """The program of an ONNX file: `image` uint8 [1, S, S, 3] to float32 [1, …].

    Raises:
        UnconvertibleError: A node has no translation, or PyTorch cannot export it.
        MissingDependencyError: The package onnx is not installed.
    """
    with converting("PyTorch's exporter", "make a program for torch-tensorrt"):
        import onnx

        model = onnx.load(file)
        network = _Network(model).eval()
        sample = torch.zeros(_input_shape(model), dtype=torch.uint8)
        with torch.no_grad():
            program = torch.export.export(network, (sample,))
    expected = sum(node.op_type == "DequantizeLinear" for node in model.graph.node)
    if pairs_of(program) != expected:
        message = f"the program has {pairs_of(program)} Q/DQ pairs, {file.name} has {expected}"
        raise UnconvertibleError(message, _HINT)
    return _cleaned(program)


def pairs_of(program: ExportedProgram) -> int:
    """Number of Q/DQ pairs of a program, those of weights among them."""
    return sum(node.target in PAIRS for node in program.graph.nodes)


def save_program(program: ExportedProgram, file: Path) -> None:
    """Write the program as `torch.export.save` does, whole or not at all."""
    with atomic_write(file) as beside, beside.open("wb") as stream:
        torch.export.save(program, stream)


def load_program(file: Path) -> ExportedProgram:
    """The program of a file, in which nothing is unpickled but tensors.

    Raises:
        ArtefactError: It is none, has content that could run foreign code, or this PyTorch does not
            read what another one wrote.
    """
    try:
        _refuse_code(file)
        return torch.export.load(file)
    except EdgekdError:
        raise
    except Exception as error:  # torch's, zipfile's and the system's have no common base
        message = f"PyTorch {torch.__version__} cannot read {file.name}: {reason_of(error)}"
        hint = "use the PyTorch that wrote it (manifest.json names it), or leave --via out"
        raise ArtefactError(message, hint) from error


def _refuse_code(file: Path) -> None:
    """Refuse an archive for whose content `torch.export.load` would call pickle."""
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            if _SAMPLE.fullmatch(name):
                torch.load(io.BytesIO(archive.read(name)), weights_only=True)
            elif not _PLAIN.fullmatch(name) or _names_pickles(archive, name):
                message = f"{file.name} holds {name}, which could run foreign code"
                raise ArtefactError(message, "build the bundle again; do not use this one")


def _names_pickles(archive: zipfile.ZipFile, name: str) -> bool:
    if not name.endswith("_config.json"):
        return False
    entries = json.loads(archive.read(name))["config"].values()
    return any(entry["use_pickle"] for entry in entries)


def _cleaned(program: ExportedProgram) -> ExportedProgram:
    """The program without this machine's paths, and without assertions on the CPU's tensors."""
    graph = program.graph_module.graph
    for node in list(graph.nodes):
        for key in _OF_THIS_MACHINE:
            node.meta.pop(key, None)
        if node.target is torch.ops.aten._assert_tensor_metadata.default:
            graph.erase_node(node)
    program.graph_module.recompile()
    return program


# ---- the file as a module ----


class _Node(NamedTuple):
    """One node of the file."""

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

    def __str__(self) -> str:
        return f"node {self.name!r} ({self.operator})"


class _Quantised(NamedTuple):
    """The output of a QuantizeLinear, until its DequantizeLinear."""

    features: Tensor
    scale: float


class _Network(nn.Module):
    """The nodes of an ONNX file, computed by PyTorch in their order."""

    def __init__(self, model: onnx.ModelProto) -> None:
        super().__init__()
        self._constants = _constants(model.graph)
        self._nodes = tuple(_nodes(model.graph))
        self._output = model.graph.output[0].name
        self._input = _input(model.graph).name
        self._buffer_names: dict[str, str] = {}
        for name in _read_as_tensors(self._nodes, self._constants):
            self._keep(name, torch.from_numpy(np.array(self._constants[name])))
        for node in self._nodes:
            if node.operator == "DequantizeLinear" and node.inputs[0] in self._constants:
                self._keep_weight(node)

    def forward(self, image: Tensor) -> Tensor:
        values: dict[str, Any] = {self._input: image}
        for node in self._nodes:
            outputs = self._compute(node, values)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            values |= dict(zip(node.outputs, outputs, strict=False))
        result: Tensor = values[self._output]
        return result

    def _compute(self, node: _Node, values: Mapping[str, Any]) -> Any:
        if node.operator == "QuantizeLinear":
            # In a tuple of its own: it is one output.
            features = self._value(node.inputs[0], values)
            return (_Quantised(features, _scale_of(node, self._constants)),)
        if node.operator == "DequantizeLinear":
            return self._dequantised(node, values)
        translation = TRANSLATIONS[node.operator]
        inputs = [
            self._number(node, name) if index in translation.numbers else self._value(name, values)
            for index, name in enumerate(node.inputs)
        ]
        try:
            return translation.compute(*inputs, **node.attributes)
        except Exception as error:
            raise UnconvertibleError(f"{node} in PyTorch: {reason_of(error)}", _HINT) from error

    def _dequantised(self, node: _Node, values: Mapping[str, Any]) -> Tensor:
        quantised = values.get(node.inputs[0])
        if isinstance(quantised, _Quantised):
            return torch.fake_quantize_per_tensor_affine(
                quantised.features, quantised.scale, 0, _LOWEST, _HIGHEST
            )
        weight, scale = self._buffer(node.inputs[0]), self._buffer(node.inputs[1])
        if scale.ndim == 0:
            number = _scale_of(node, self._constants)
            return torch.fake_quantize_per_tensor_affine(weight, number, 0, _LOWEST, _HIGHEST)
        zeros, axis = self._buffer(f"{node.inputs[1]}/zeros"), node.attributes.get("axis", 1)
        return torch.fake_quantize_per_channel_affine(weight, scale, zeros, axis, _LOWEST, _HIGHEST)

    def _number(self, node: _Node, name: str) -> Any:
        if not name:
            return None
        if name not in self._constants:
            raise UnconvertibleError(f"{node} reads {name}, which is computed, as a shape", _HINT)
        return self._constants[name].tolist()

    def _value(self, name: str, values: Mapping[str, Any]) -> Any:
        if not name:
            return None
        if name in values:
            return values[name]
        constant = self._constants[name]
        return constant.item() if constant.ndim == 0 else self._buffer(name)

    def _keep_weight(self, node: _Node) -> None:
        """The weight in float32; quantising it again gives the same integers."""
        integers, scale = (self._constants[name] for name in node.inputs[:2])
        if integers.dtype != np.int8:
            raise UnconvertibleError(f"{node} takes {integers.dtype} weights, not int8", _HINT)
        shape = [1] * integers.ndim
        if scale.ndim:
            shape[node.attributes.get("axis", 1)] = -1
        floats = integers.astype(np.float32) * scale.reshape(shape)
        self._keep(node.inputs[0], torch.from_numpy(floats))
        self._keep(node.inputs[1], torch.from_numpy(np.array(scale)))
        self._keep(f"{node.inputs[1]}/zeros", torch.zeros(scale.shape, dtype=torch.int32))

    def _keep(self, name: str, tensor: Tensor) -> None:
        """Register a buffer: names of tensors in ONNX may have dots, those of buffers not."""
        own = self._buffer_names.setdefault(name, f"constant_{len(self._buffer_names)}")
        self.register_buffer(own, tensor)

    def _buffer(self, name: str) -> Tensor:
        return self.get_buffer(self._buffer_names[name])


def _constants(graph: onnx.GraphProto) -> dict[str, NDArray[Any]]:
    from onnx import numpy_helper

    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            constants[node.output[0]] = _constant_of(node)
    return constants


def _constant_of(node: onnx.NodeProto) -> NDArray[Any]:
    from onnx import helper, numpy_helper

    value = helper.get_attribute_value(node.attribute[0])
    return numpy_helper.to_array(value) if node.attribute[0].name == "value" else np.asarray(value)


def _nodes(graph: onnx.GraphProto) -> Iterator[_Node]:
    """The nodes to compute.

    Raises:
        UnconvertibleError: One has no translation; all of its kind are named.
    """
    from onnx import helper

    nodes = [node for node in graph.node if node.op_type != "Constant"]
    known = {*TRANSLATIONS, "QuantizeLinear", "DequantizeLinear"}
    unknown = sorted({node.op_type for node in nodes} - known)
    if unknown:
        message = f"edgekd has no translation to PyTorch of {', '.join(unknown)}"
        raise UnconvertibleError(message, _HINT)
    for node in nodes:
        values = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        attributes = {k: v.decode() if isinstance(v, bytes) else v for k, v in values.items()}
        yield _Node(node.name, node.op_type, tuple(node.input), tuple(node.output), attributes)


def _read_as_tensors(
    nodes: tuple[_Node, ...], constants: Mapping[str, NDArray[Any]]
) -> Iterator[str]:
    for node in nodes:
        if node.operator == "DequantizeLinear":
            continue
        quantises = node.operator == "QuantizeLinear"
        numbers = (1, 2) if quantises else TRANSLATIONS[node.operator].numbers
        for index, name in enumerate(node.inputs):
            if name in constants and index not in numbers and constants[name].ndim:
                yield name


def _scale_of(node: _Node, constants: Mapping[str, NDArray[Any]]) -> float:
    """The scale of an activation's pair, which is symmetric and has one for all channels."""
    scale = constants[node.inputs[1]]
    if scale.size != 1:
        raise UnconvertibleError(f"{node} has {scale.size} scales for an activation", _HINT)
    if len(node.inputs) > 2 and np.any(constants[node.inputs[2]] != 0):
        raise UnconvertibleError(f"{node} is asymmetric", _HINT)
    return float(scale.item())


def _input(graph: onnx.GraphProto) -> onnx.ValueInfoProto:
    weights = {tensor.name for tensor in graph.initializer}
    images: onnx.ValueInfoProto = next(e for e in graph.input if e.name not in weights)
    return images


def _input_shape(model: onnx.ModelProto) -> list[int]:
    return [side.dim_value for side in _input(model.graph).type.tensor_type.shape.dim]
