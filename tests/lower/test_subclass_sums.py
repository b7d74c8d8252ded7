"""A student of subclasses: every backend's file gives class logits, summed in float."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from spotted import make_images
from torch import nn

from edgekd.lower.backends import Backend, get_backend
from edgekd.lower.backends.base import CheckedBackend
from edgekd.lower.graph import DeployGraph, deploy_graph
from edgekd.lower.int8.ranking import rank_layers
from edgekd.lower.onnx_export import export_onnx, subclass_nodes
from edgekd.lower.precision import Variant
from edgekd.models import NormalisedNetwork, create_network, logits_of
from edgekd.runtime.sessions import open_session

SIZE = 64
OF = (0, 0, 0, 1)
MEAN, STD = (0.7, 0.55, 0.5), (0.2, 0.2, 0.2)
BUILT_IN = ("onnx", "openvino", "tensorrt", "tflite")
QUICK = ("int8",)
"""Where a sum could be one of integers."""
pytestmark = [
    # AI Edge Quantizer calibrates in LiteRT's debug mode, which says so.
    pytest.mark.filterwarnings(
        "ignore:Warning. Enabling .experimental_preserve_all_tensors.:UserWarning"
    ),
    # torchao, where it was installed without being compiled.
    pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning"),
]

Images = NDArray[np.uint8]
Lowered = Callable[[str, str], dict[bool, Path]]


def of_precision(*values: str) -> Any:
    """Values of a parametrised test of which the last one is a precision."""
    return pytest.param(*values, marks=() if values[-1] in QUICK else pytest.mark.slow)


ALL = [
    of_precision(name, precision) for name in BUILT_IN for precision in get_backend(name).precisions
]


def sized(count: int, seed: int) -> Images:
    images = make_images(count, seed=seed)[0]
    scale = SIZE // images.shape[1]
    return np.ascontiguousarray(images.repeat(scale, 1).repeat(scale, 2))


@pytest.fixture(scope="module")
def images() -> Images:
    return sized(24, seed=1)


@pytest.fixture(scope="module")
def network(student: Any) -> nn.Module:
    """The trained student of four, whose first three are taken for subclasses of one class."""
    network: nn.Module = student.network
    return network


@pytest.fixture(scope="module")
def graph(network: nn.Module) -> DeployGraph:
    return deploy_graph(network, MEAN, STD, OF)


@pytest.fixture(scope="module")
def plain(network: nn.Module) -> DeployGraph:
    return deploy_graph(network, MEAN, STD)


def summed(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = logits.astype(np.float64)
    return np.stack((np.logaddexp.reduce(wide[:, :3], axis=1), wide[:, 3]), axis=1)


def answers(backend: Backend, folder: Path, images: Images) -> NDArray[np.float32]:
    session = open_session(backend.host_session, folder / backend.model_file, threads=1)
    return np.concatenate([session.run(image[None]) for image in images])


@pytest.fixture(scope="module")
def files(graph: DeployGraph, plain: DeployGraph, tmp_path_factory: Any) -> Lowered:
    """A backend's folders for a precision: of class logits, and of the network's own outputs.

    All precisions of one graph that run always in a row, because the backends keep what they start
    from; and so the others.
    """
    done: dict[tuple[str, str], dict[bool, Path]] = {}

    def lower(name: str, precision: str) -> dict[bool, Path]:
        if (name, precision) not in done:
            quick = precision in QUICK
            precisions = [one for one in get_backend(name).precisions if (one in QUICK) == quick]
            done.update({(name, one): {} for one in precisions})
            for one, summed in ((graph, True), (plain, False)):
                for each in precisions:
                    folder = tmp_path_factory.mktemp(name)
                    done[name, each][summed] = _lowered(one, name, each, folder)
        return done[name, precision]

    return lower


def _lowered(graph: DeployGraph, name: str, precision: str, out: Path) -> Path:
    layers = ("stem.0",) if precision == "int8-mixed" else ()
    variant = Variant(precision=precision, float_layers=layers)
    get_backend(name).lower(graph, SIZE, variant, sized(24, seed=2), out)
    return out


def test_class_logits_are_sums(graph: DeployGraph, plain: DeployGraph, images: Images) -> None:
    with torch.no_grad():
        found, of_subclasses = (one(torch.from_numpy(images)).numpy() for one in (graph, plain))
    assert found.shape == (len(images), 2)
    np.testing.assert_allclose(found, summed(of_subclasses), atol=1e-5)


def test_stripping_changes_no_bit() -> None:
    """What is exported gives bit for bit what the student gave in training's network."""
    torch.manual_seed(0)
    options = {"channels": [4, 4, 8, 8], "stem_width": 4}
    made = create_network("resnet10t", len(OF), options).eval()
    trained = NormalisedNetwork(made, MEAN, STD, OF).eval()
    exported = deploy_graph(made, MEAN, STD, OF)
    normalised = exported.normalise(torch.from_numpy(sized(4, seed=3)))
    with torch.no_grad():
        stripped = exported.class_logits(exported.network(normalised))
        assert stripped.equal(trained.class_logits(trained.network(normalised)))
        np.testing.assert_allclose(
            exported(torch.from_numpy(sized(4, seed=3))).numpy(),
            logits_of(trained, sized(4, seed=3)),
            atol=1e-5,
        )


@pytest.mark.parametrize(("name", "precision"), ALL)
def test_every_file_sums_in_float(
    name: str, precision: str, graph: DeployGraph, files: Lowered, images: Images
) -> None:
    """Rounded or not, a file's class logits are those of its own subclass logits, to 1e-5.

    A sum that was rounded to int8 or fp16 would be off by a hundred times that.
    """
    found, own = (
        answers(get_backend(name), files(name, precision)[s], images) for s in (True, False)
    )
    assert (found.dtype, found.shape) == (np.float32, (len(images), 2))
    np.testing.assert_allclose(found, summed(own), atol=1e-5)
    with torch.no_grad():
        wanted = graph(torch.from_numpy(images)).numpy()
    allowed = {"fp32": 1e-3, "fp16": 2e-2}.get(precision, 0.5)
    assert np.abs(found - wanted).max() < allowed * wanted.std()


def test_nodes_of_the_sums(graph: DeployGraph, plain: DeployGraph) -> None:
    names = set(subclass_nodes(export_onnx(graph, SIZE)))
    kinds = [n.op_type for n in export_onnx(graph, SIZE).graph.node if n.name in names]
    assert kinds == [
        "Slice", "ReduceMax", "Sub", "Exp", "ReduceSum", "Log", "Add", "Slice", "Concat",
    ]  # fmt: skip
    assert subclass_nodes(export_onnx(plain, SIZE)) == []


@pytest.mark.parametrize("name", ["onnx", "tensorrt"])
def test_no_rounding_behind_the_last_layer(name: str, files: Lowered) -> None:
    nodes = onnx.load(files(name, "int8")[True] / "model.onnx").graph.node
    last = max(index for index, node in enumerate(nodes) if node.op_type == "Gemm")
    behind = {node.op_type for node in nodes[last + 1 :]}
    assert not behind & {"QuantizeLinear", "DequantizeLinear"}


@pytest.mark.parametrize("precision", [of_precision(one) for one in ("fp32", "int8")])
def test_the_sums_cut_no_tflite_file_in_pieces(precision: str, files: Lowered) -> None:
    pieces = {
        open_session("tflite", files("tflite", precision)[of] / "model.tflite", threads=1).facts[
            "xnnpack_partitions"
        ]
        for of in (True, False)
    }
    assert pieces == {1}


@pytest.mark.parametrize("precision", [of_precision(one) for one in ("fp32", "fp16", "int8")])
def test_tensorrt_takes_the_sums(precision: str, files: Lowered, tmp_path: Path) -> None:
    backend = get_backend("tensorrt")
    assert isinstance(backend, CheckedBackend)
    if not backend.checkers():
        pytest.skip("TensorRT-RTX is missing: pip install 'edgekd[tensorrt-check]'")
    file = files("tensorrt", precision)[True] / "model.onnx"
    found = backend.check(file, tmp_path / "check.log")
    assert found.status == "passed", found


def test_harm_is_that_to_class_logits(graph: DeployGraph, images: Images) -> None:
    ranked = rank_layers(graph, images[:8], say=lambda line: None)
    assert {one.layer for one in ranked} >= {"stem.0", "head.2"}
    assert all(one.divergence >= 0 for one in ranked)
    alone = rank_layers(deploy_graph(graph.network, MEAN, STD, (0, 1, 2, 3)), images[:8], say=str)
    assert [one.divergence for one in ranked] != [one.divergence for one in alone]
