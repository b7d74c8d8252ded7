"""Deploy graph → ONNX, the form from which OpenVINO, ONNX Runtime and TensorRT start."""

from __future__ import annotations

import ast
import functools
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import torch

from edgekd.errors import InputError
from edgekd.lower.graph import DeployGraph

if TYPE_CHECKING:
    import onnx

__all__ = [
    "OPSET",
    "WEIGHTED",
    "clean_model",
    "export_onnx",
    "layer_nodes",
    "subclass_nodes",
]

OPSET = 18
"""The lowest that torch's exporter writes without down-conversion; TensorRT 10 reads it."""

WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""Operators that convolutions and linear layers become."""

_SCOPES = "pkg.torch.onnx.name_scopes"
_NETWORK = "network"
_NORMALISATION = "normalisation"
_SUMS = "class_logits"


@functools.lru_cache(maxsize=1)
def export_onnx(graph: DeployGraph, image_size: int) -> onnx.ModelProto:
    """The graph as ONNX: `image` uint8 [1, S, S, 3] to `logits` float32 [1, …].

    Nodes bear the names of the modules they come from, see `layer_nodes`. The last model
    is cached, because each precision of a backend starts from it; do not change it in place.
    """
    sample = torch.zeros(1, image_size, image_size, 3, dtype=torch.uint8)
    program = torch.onnx.export(
        graph,
        (sample,),
        input_names=["image"],
        output_names=["logits"],
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    if program is None:  # only the old exporter answers None
        raise RuntimeError("torch.onnx.export gave no program")
    model = program.model_proto
    _name_nodes(model.graph)
    return clean_model(model)


def layer_nodes(model: onnx.ModelProto, layers: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Names of the nodes that multiply by the weights of each layer.

    The node of a convolution or linear layer bears the name of its module within the student's
    network (`blocks.0.0.conv_dw`). Every further node of a module, as where a layer is used
    twice, has its operator behind a slash (`blocks.0.0.conv_dw/Conv`, `…/Conv_2`).

    Args:
        model: From `export_onnx`; ONNX Runtime's optimiser may have changed it.
        layers: Names of modules.

    Raises:
        InputError: A layer has no such node.
    """
    names = [node.name for node in model.graph.node if node.op_type in WEIGHTED]
    by_layer = {layer: tuple(name for name in names if _belongs(name, layer)) for layer in layers}
    for layer, nodes in by_layer.items():
        if not nodes:
            message = f"there is no convolution or linear layer {layer!r} in the exported graph"
            raise InputError(message, f"known are, among others: {', '.join(names[:3])}")
    return by_layer


def subclass_nodes(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes behind the network that sum subclasses; none where it predicts classes.

    Args:
        model: From `export_onnx`; ONNX Runtime's optimiser may have changed it.
    """
    return [node.name for node in model.graph.node if _belongs(node.name, _SUMS)]


def clean_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """Remove from `model`, in place, what no device needs.

    torch's exporter writes stack traces with paths of this machine into every node, and
    ONNX Runtime imports operator sets of which the model uses none.
    """
    graph = model.graph
    parts: list[Any] = [model, graph, *graph.node, *graph.input, *graph.output]
    for part in [*parts, *graph.value_info, *graph.initializer]:
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    used = {node.domain for node in graph.node} | {""}
    kept = [opset for opset in model.opset_import if opset.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    return model


def _belongs(node: str, layer: str) -> bool:
    return node == layer or node.startswith(f"{layer}/")


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Name every node by its module; the first that multiplies by a weight has the bare name."""
    weights = {tensor.name for tensor in graph.initializer}
    used: set[str] = set()
    for node in graph.node:
        module = _module(node, weights)
        bare = node.op_type in WEIGHTED and not weights.isdisjoint(node.input)
        name = module if bare and module not in used else f"{module}/{node.op_type}"
        node.name = _unique(name, used)
        used.add(node.name)


def _unique(name: str, used: Collection[str]) -> str:
    candidate, number = name, 1
    while candidate in used:
        number += 1
        candidate = f"{name}_{number}"
    return candidate


def _module(node: onnx.NodeProto, weights: Collection[str]) -> str:
    """The module of a node: its weight's owner, else the innermost scope of torch's exporter.

    The weight decides first: a convolution with folded batch norm is in the batch norm's scope.
    """
    if node.op_type in WEIGHTED:
        for name in node.input:
            if name in weights and name.startswith(f"{_NETWORK}.") and name.endswith(".weight"):
                return str(name).removeprefix(f"{_NETWORK}.").removesuffix(".weight")
    modules = [scope for scope in _scopes(node)[:-1] if scope]  # the last is the operation
    if not modules:
        return _NORMALISATION
    return modules[-1].removeprefix(f"{_NETWORK}.")


def _scopes(node: onnx.NodeProto) -> list[str]:
    """Scopes of a node, the deploy graph ("") first; one without scopes counts as the network's."""
    for entry in node.metadata_props:
        if entry.key == _SCOPES:
            return list(ast.literal_eval(entry.value))
    return ["", _NETWORK, ""]
