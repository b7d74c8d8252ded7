"""Builds an engine from `model.pt2` by torch-tensorrt, on the device that will run it.

torch-tensorrt translates PyTorch's operators to TensorRT's layers itself, where the usual way lets
TensorRT's parser read ONNX. What it lacks is a Q/DQ pair without NVIDIA ModelOpt: `edgekd::pair` is
the operator of one, with a converter by torch-tensorrt's public registry.

Source: Torch-TensorRT documentation, "Writing dynamo converters"; NVIDIA TensorRT documentation,
"Working with quantized types" (explicit quantisation: IQuantizeLayer, IDequantizeLayer).
"""

from __future__ import annotations

import functools
import inspect
import time
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from edgekd.errors import EdgekdError, reason_of
from edgekd.files import write_atomically
from edgekd.lower.backends.base import versions_of
from edgekd.lower.backends.tensorrt.builder import EngineBuildError, EngineReport
from edgekd.lower.backends.tensorrt.library import load_torch_tensorrt
from edgekd.lower.backends.tensorrt.program import PAIRS, load_program

if TYPE_CHECKING:
    from torch.export import ExportedProgram

__all__ = ["compile_engine", "pair", "with_pair_operators"]

_PER_TENSOR, _PER_CHANNEL = PAIRS
_NAMESPACE = "edgekd"
_STRONGLY_TYPED = "use_explicit_typing"

# The tag keeps the pair of a weight from being computed beforehand: PyTorch's and torch-tensorrt's
# constant folding leave operators alone that draw random numbers, which is all that the tag says.
# Folded, the weight would be float, and the layer too.
_library: Any = torch.library.Library
_LIBRARY = _library(_NAMESPACE, "DEF")
_LIBRARY.define(
    "pair(Tensor features, float[] scales, int axis) -> Tensor",
    tags=(torch.Tag.nondeterministic_seeded,),
)


def pair(features: Tensor, scales: list[float], axis: int) -> Tensor:
    """`features` quantised to symmetric int8 and dequantised.

    Args:
        features: Any shape, float.
        scales: One scale, or one for each index of `axis`.
        axis: Axis of the scales; without meaning where there is one.
    """
    if len(scales) == 1:
        one: Tensor = _PER_TENSOR(features, scales[0], 0, -128, 127)
        return one
    zeros = torch.zeros(len(scales), dtype=torch.int32, device=features.device)
    scale = torch.tensor(scales, dtype=torch.float32, device=features.device)
    several: Tensor = _PER_CHANNEL(features, scale, zeros, axis, -128, 127)
    return several


_LIBRARY.impl("pair", pair, "CompositeExplicitAutograd")
_LIBRARY._register_fake("pair", lambda features, scales, axis: torch.empty_like(features))


def with_pair_operators(program: ExportedProgram) -> ExportedProgram:
    """The program, changed in place: `edgekd::pair` for each fake quantisation."""
    tensors = _tensors_of(program)
    graph = program.graph_module.graph
    for node in [node for node in graph.nodes if node.target in PAIRS]:
        scale, axis = node.args[1], 0
        if node.target is _PER_CHANNEL:
            scale, axis = tensors[scale.name], node.args[3]
        scales = scale.tolist() if isinstance(scale, Tensor) else [scale]
        node.target, node.args = torch.ops.edgekd.pair.default, (node.args[0], scales, axis)
    program.graph_module.recompile()
    return program


def compile_engine(
    program: Path,
    out: Path,
    *,
    workspace_bytes: int | None = None,
    optimization_level: int | None = None,
    tf32: bool = True,
) -> EngineReport:
    """Build a serialized engine. It is written whole or not at all.

    The network is strongly typed: the program sets all precisions. Arguments are those of
    `build_engine`; the GPU is the installed one.

    Args:
        program: The file `model.pt2`.
        out: The engine's file.
        workspace_bytes: See `build_engine`.
        optimization_level: See `build_engine`.
        tf32: See `build_engine`.

    Raises:
        MissingDependencyError: torch-tensorrt is not installed.
        DeviceUnreachableError: It finds no GPU.
        ArtefactError: The program is damaged, or of another PyTorch.
        EngineBuildError: No engine could be built.
    """
    library = load_torch_tensorrt()
    _register_converter()
    start = time.perf_counter()
    loaded = with_pair_operators(load_program(program))
    options: dict[str, Any] = {
        "workspace_size": workspace_bytes or 0,
        "optimization_level": optimization_level,
        "disable_tf32": not tf32,
        "timing_cache_path": str(out.with_name("torch-tensorrt.timing")),
    }
    image = library.Input(shape=_image_shape(loaded), dtype=torch.uint8)
    engine = _converted(library, loaded, image, options, program.name)
    write_atomically(out, engine)
    seconds = round(time.perf_counter() - start, 3)
    flags: dict[str, int | bool] = {"tf32": tf32}
    given = {"workspace_bytes": workspace_bytes, "optimization_level": optimization_level}
    flags |= {name: value for name, value in given.items() if value is not None}
    return EngineReport(out, _versions(library), seconds, out.stat().st_size, flags)


def _converted(
    library: Any, program: ExportedProgram, image: Any, options: dict[str, Any], title: str
) -> bytes:
    convert = library.dynamo.convert_exported_program_to_serialized_trt_engine
    if _STRONGLY_TYPED in inspect.signature(convert).parameters:
        options = options | {_STRONGLY_TYPED: True}  # later versions always are
    try:
        engine: bytes = convert(program, arg_inputs=[image], **options)
    except EdgekdError:
        raise
    except Exception as error:  # torch-tensorrt's, torch's and TensorRT's have no common base
        message = f"torch-tensorrt could not build {title}: {reason_of(_first_cause(error))}"
        raise EngineBuildError(message, "leave --via out to build it from ONNX") from error
    return bytes(engine)


def _first_cause(error: BaseException) -> BaseException:
    """The exception from which the others came, which names the operator."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return error


@functools.cache
def _register_converter() -> None:
    """Let torch-tensorrt convert `edgekd::pair`, once for each process."""
    trt = import_module("tensorrt")  # torch-tensorrt's own, which may be TensorRT-RTX
    conversion = import_module("torch_tensorrt.dynamo.conversion")
    constant = import_module("torch_tensorrt.dynamo.conversion.converter_utils").get_trt_tensor

    @conversion.dynamo_tensorrt_converter(torch.ops.edgekd.pair.default)  # type: ignore[untyped-decorator]
    def convert(context: Any, target: Any, args: Any, kwargs: Any, name: str) -> Any:
        del target, kwargs
        features, scales, axis = args
        if not isinstance(features, trt.ITensor):
            features = constant(context, features, f"{name}_weight")
        values = torch.tensor(scales if len(scales) > 1 else scales[0], dtype=torch.float32)
        scale = constant(context, values, f"{name}_scale")
        quantise = context.net.add_quantize(features, scale, trt.DataType.INT8)
        integers = quantise.get_output(0)
        dequantise = context.net.add_dequantize(integers, scale, features.dtype)
        if len(scales) > 1:
            quantise.axis = dequantise.axis = axis
        quantise.name, dequantise.name = f"{name}_quantise", f"{name}_dequantise"
        return dequantise.get_output(0)


def _tensors_of(program: ExportedProgram) -> dict[str, Tensor]:
    """Buffers and constants by the names of their inputs in the graph."""
    signature, tensors = program.graph_signature, {**program.state_dict, **program.constants}
    names = {
        **signature.inputs_to_buffers,
        **signature.inputs_to_parameters,
        **signature.inputs_to_lifted_tensor_constants,
    }
    return {given: tensors[name] for given, name in names.items()}


def _image_shape(program: ExportedProgram) -> tuple[int, ...]:
    (name,) = program.graph_signature.user_inputs
    node = next(node for node in program.graph.nodes if node.name == name)
    return tuple(int(side) for side in node.meta["val"].shape)


def _versions(library: Any) -> dict[str, str]:
    trt = import_module("tensorrt")
    names = metadata.packages_distributions().get("torch_tensorrt", ["torch-tensorrt"])
    versions = {name: str(library.__version__) for name in names[:1]}
    return versions | versions_of("torch") | {"tensorrt": str(trt.__version__)}
