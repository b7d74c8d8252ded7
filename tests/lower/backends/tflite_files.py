"""TensorFlow Lite files of small networks, and the operators in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import nn

from backends.lowered_files import CLASSES, SIZE
from edgekd.lower.backends import get_backend
from edgekd.lower.backends._tflite_layers import scopes_of
from edgekd.lower.backends.tflite import _float_model
from edgekd.lower.graph import DeployGraph, deploy_graph
from edgekd.lower.precision import Variant

__all__ = [
    "BACKEND",
    "LAYERS",
    "MEAN",
    "STD",
    "WEIGHTED",
    "Operator",
    "assert_layers_are_told_apart",
    "float_content",
    "lower",
    "noise",
    "read",
    "renewed",
    "timm_graph",
]

BACKEND = get_backend("tflite")
MEAN, STD = (0.7, 0.55, 0.5), (0.2, 0.2, 0.2)
LAYERS = (
    "stem.0",
    "blocks.0.body.0",
    "blocks.0.body.3",
    "blocks.1.body.0",
    "blocks.1.body.3",
    "head.2",
)
WEIGHTED = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}


def lower(graph: DeployGraph, wanted: Variant, images: Any, out: Path) -> Path:
    BACKEND.lower(graph, SIZE, wanted, images, out)
    return out / BACKEND.model_file


def float_content(student: Any) -> bytes:
    return _float_model(student.graph, SIZE)


def renewed(student: Any, layer: str) -> nn.Module:
    """A copy of the student with new weights in one layer."""
    network = type(student.network)()
    network.load_state_dict(student.network.state_dict())
    network.get_submodule(layer).reset_parameters()
    return network


def noise() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (8, SIZE, SIZE, 3), dtype=np.uint8)


def timm_graph(name: str) -> DeployGraph:
    """A network of timm with random weights, also where its start has zeros."""
    torch.manual_seed(0)
    network = timm.create_model(name, num_classes=CLASSES)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.3)
            module.running_var.uniform_(0.5, 2)
    return deploy_graph(network, MEAN, STD)


def assert_layers_are_told_apart(graph: DeployGraph, count: int) -> None:
    kinds, network = (nn.Conv2d, nn.Linear), graph.network
    layers = [name for name, module in network.named_modules() if isinstance(module, kinds)]
    scopes = {scopes_of(_float_model(graph, SIZE), network, [name])[-1] for name in layers}
    assert len(scopes) == len(layers) == count


class Operator(NamedTuple):
    """An operator of a file, with its weights as stored and the type of its result."""

    kind: str
    weights: NDArray[Any]
    arithmetic: str

    @property
    def weight(self) -> str:
        return self.weights.dtype.name


def read(file: Path) -> list[Operator]:
    """Operators in their order, without XNNPACK, which would put its own in their place."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        str(file), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    types = {one["index"]: np.dtype(one["dtype"]) for one in interpreter.get_tensor_details()}
    operators = interpreter._get_ops_details()
    # Small weights of float operators are dequantised by an operator of their own.
    stored = {one["outputs"][0]: one["inputs"][0] for one in operators}
    found = []
    for one in operators:
        weights = np.empty(0)
        if one["op_name"] in WEIGHTED:
            index = one["inputs"][1]
            weights = interpreter.get_tensor(stored.get(index, index))
        found.append(Operator(one["op_name"], weights, types[one["outputs"][0]].name))
    return found
