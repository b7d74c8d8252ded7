"""The exported nodes bear the names of the modules that they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekd.errors import InputError
from edgekd.lower.backends._onnx_quantise import prepared_model
from edgekd.lower.backends.openvino import _converted, _float_operations
from edgekd.lower.graph import DeployGraph, deploy_graph
from edgekd.lower.onnx_export import WEIGHTED, export_onnx, layer_nodes

MEAN, STD = (0.5,) * 3, (0.2,) * 3
MODELS = (
    "resnet10t",
    pytest.param("mobilenetv3_small_050", marks=pytest.mark.slow),
    pytest.param("mobilenetv2_050", marks=pytest.mark.slow),
    pytest.param("tf_efficientnet_lite0", marks=pytest.mark.slow),
)


class Twice(nn.Module):
    """A network that uses one convolution twice, and one without a module's own name."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.shared = nn.Conv2d(4, 4, 1)
        self.token_mixer = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, image: Tensor) -> Tensor:
        features = self.shared(self.shared(self.stem(image)).relu())
        tokens = self.token_mixer(features.flatten(2).transpose(1, 2))
        return self.head((tokens @ tokens.transpose(1, 2) @ tokens).mean(1))


@pytest.fixture(scope="module")
def twice() -> DeployGraph:
    torch.manual_seed(0)
    return deploy_graph(Twice(), MEAN, STD)


def shaken(name: str) -> nn.Module:
    """A timm network whose batch norms and biases are not neutral, so that nothing folds away."""
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    network: nn.Module = timm.create_model(name, num_classes=7)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.Linear):
            nn.init.normal_(module.bias, std=0.2)
    return network


@pytest.fixture(scope="module", params=MODELS)
def timm_graph(request: pytest.FixtureRequest) -> DeployGraph:
    return deploy_graph(shaken(request.param), MEAN, STD)


def layer_sizes(graph: DeployGraph) -> dict[str, int]:
    """Number of weights of each convolution and linear layer."""
    return {
        name: module.weight.numel()
        for name, module in graph.network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }


def test_every_layer_has_its_node(timm_graph: DeployGraph) -> None:
    model, layers = export_onnx(timm_graph, 64), layer_sizes(timm_graph)
    assert layer_nodes(model, list(layers)) == {layer: (layer,) for layer in layers}
    weighted = [node for node in model.graph.node if node.op_type in WEIGHTED]
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in model.graph.initializer}
    assert {node.name: sizes[node.input[1]] for node in weighted} == layers
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)
    assert names[:4] == [f"normalisation/{kind}" for kind in ("Cast", "Transpose", "Mul", "Add")]


def test_names_outlive_onnx_runtimes_optimiser(timm_graph: DeployGraph) -> None:
    model, layers = prepared_model(timm_graph, 64), list(layer_sizes(timm_graph))
    assert layer_nodes(model, layers) == {layer: (layer,) for layer in layers}


def test_openvino_finds_every_layer(timm_graph: DeployGraph) -> None:
    exported, layers = export_onnx(timm_graph, 64), layer_sizes(timm_graph)
    model = _converted(exported)
    operations = {one.get_friendly_name(): one for one in model.get_ordered_ops()}
    found = list(_float_operations(model, exported, list(layers)))
    shapes = [operations[name].input_value(1).get_shape() for name in found]
    assert [int(np.prod(list(shape))) for shape in shapes] == list(layers.values())
    assert len(set(found)) == len(layers)


def test_a_layer_that_is_used_twice(twice: DeployGraph) -> None:
    model = export_onnx(twice, 8)
    found = layer_nodes(model, ["stem", "shared", "token_mixer", "head"])
    assert found == {
        "stem": ("stem",),
        "shared": ("shared", "shared/Conv"),
        "token_mixer": ("token_mixer",),
        "head": ("head",),
    }


def test_products_of_activations_are_no_layer(twice: DeployGraph) -> None:
    model = export_onnx(twice, 8)
    names = [node.name for node in model.graph.node if node.op_type == "MatMul"]
    assert names == ["token_mixer", "network/MatMul", "network/MatMul_2"]


@pytest.mark.parametrize("absent", ["shared.0", "share", "relu"])
def test_unknown_layers_are_named(absent: str, twice: DeployGraph) -> None:
    with pytest.raises(InputError, match=f"layer '{absent}'") as caught:
        layer_nodes(export_onnx(twice, 8), ["stem", absent])
    assert "stem" in caught.value.hint


def test_names_are_the_same_each_time(twice: DeployGraph) -> None:
    first = export_onnx(twice, 8).SerializeToString()
    export_onnx.cache_clear()
    assert export_onnx(twice, 8).SerializeToString() == first


@pytest.mark.parametrize("backend", ["onnx", "openvino", "tensorrt"])
def test_both_uses_of_a_layer_stay_float(backend: str, twice: DeployGraph, tmp_path: Path) -> None:
    from edgekd.lower.backends import get_backend
    from edgekd.lower.precision import Variant

    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3)).astype(np.uint8)
    wanted = Variant(precision="int8-mixed", float_layers=("shared",))
    get_backend(backend).lower(twice, 8, wanted, images, tmp_path)
    assert float_convolutions(tmp_path) == 2


def float_convolutions(folder: Path) -> int:
    if (folder / "model.xml").is_file():
        import openvino

        model = openvino.Core().read_model(folder / "model.xml")
        found = [one for one in model.get_ordered_ops() if one.get_type_name() == "Convolution"]
        return sum(is_float(one.input_value(1).get_node()) for one in found)
    import onnx

    graph = onnx.load(folder / "model.onnx").graph
    weights = {tensor.name for tensor in graph.initializer}
    return sum(node.op_type == "Conv" and node.input[1] in weights for node in graph.node)


def is_float(constant: Any) -> bool:
    return constant.get_type_name() == "Constant" and constant.get_element_type().is_real()
