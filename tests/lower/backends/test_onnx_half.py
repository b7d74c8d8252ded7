"""fp16 for TensorRT: what would overflow or vanish stays float32, and nothing else does.

ONNX's reference evaluator computes fp16 as written. ONNX Runtime does not on a CPU: it computes in
float32 and drops the casts between.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from edgekd.errors import ArtefactError
from edgekd.lower.backends import get_backend
from edgekd.lower.backends._onnx_half import LIMIT, half_model, islands_of
from edgekd.lower.backends._onnx_quantise import prepared_model
from edgekd.lower.graph import DeployGraph, deploy_graph
from edgekd.lower.precision import Variant
from edgekd.runtime.sessions import open_session

SIZE, CLASSES = 16, 4
GREATEST = 65504.0
HALF = Variant(precision="fp16")
IMAGES = np.random.default_rng(0).integers(0, 256, (6, SIZE, SIZE, 3)).astype(np.uint8)


class Tall(nn.Module):
    """Activations of the middle are `factor` times as large as those around them.

    The factor is spread over two layers, so that no weight leaves fp16's range.
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        step = factor**0.5
        self.first = nn.Conv2d(3, 8, 3, 2, 1)
        self.up = nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.ReLU())
        self.down = nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 1), nn.ReLU())
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES))
        for layer in self.up[::2]:
            layer.weight.data = layer.weight.data.abs() * step
        for layer in self.down[::2]:
            layer.weight.data /= step

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.down(self.up(torch.relu(self.first(image)))))


def graph_of(network: nn.Module) -> DeployGraph:
    return deploy_graph(network, (0.5,) * 3, (0.2,) * 3)


@pytest.fixture(scope="module")
def tall() -> DeployGraph:
    torch.manual_seed(0)
    return graph_of(Tall(4e6))


def lower(graph: DeployGraph, folder: Path, calibration: NDArray[np.uint8] | None = IMAGES) -> Path:
    get_backend("tensorrt").lower(graph, SIZE, HALF, calibration, folder)
    return folder / "model.onnx"


def expected(graph: DeployGraph) -> NDArray[np.float32]:
    with torch.no_grad():
        return np.asarray(graph(torch.from_numpy(IMAGES)))


def as_written(model: Any) -> NDArray[np.float32]:
    """Logits by ONNX's reference evaluator, which rounds every fp16 tensor."""
    evaluator = ReferenceEvaluator(model)
    with np.errstate(all="ignore"):
        return np.concatenate([evaluator.run(None, {"image": one[None]})[0] for one in IMAGES])


def kinds_of(file: Path) -> dict[str, str]:
    """Type of each node's first output, by the node's name."""
    model = onnx.shape_inference.infer_shapes(onnx.load(file))
    entries = (*model.graph.value_info, *model.graph.output)
    kinds = {entry.name: entry.type.tensor_type.elem_type for entry in entries}
    return {
        node.name: TensorProto.DataType.Name(kinds[node.output[0]]) for node in model.graph.node
    }


def test_activations_beyond_fp16_overflow_without_islands(tall: DeployGraph) -> None:
    """Weights alone give no hint; in ONNX Runtime only the tensor itself shows it."""
    import onnxruntime

    model = half_model(prepared_model(tall, SIZE), None)
    assert not model.metadata_props
    assert not np.isfinite(as_written(model)).any()
    last = next(node for node in model.graph.node if node.name == "down.0").input[0]
    model.graph.output.append(onnx.helper.make_tensor_value_info(last, TensorProto.FLOAT16, None))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    assert np.isinf(session.run([last], {"image": IMAGES[:1]})[0]).any()


def test_islands_keep_the_logits(tall: DeployGraph, tmp_path: Path) -> None:
    file, logits = lower(tall, tmp_path), expected(tall)
    # The layers that write what is too large, and those that read it.
    assert set(islands_of(file)) >= {"up.2", "down.0"}
    assert not set(islands_of(file)) & {"first", "head.2"}
    session = open_session("onnx", file, threads=1)
    by_engine = np.concatenate([session.run(image[None]) for image in IMAGES])
    for found in (as_written(onnx.load(file)), by_engine):
        assert np.abs(found - logits).max() < 5e-3 * np.abs(logits).max()


def test_neighbouring_islands_pass_float32(tall: DeployGraph, tmp_path: Path) -> None:
    """One cast into the island and one out of it, none between."""
    file = lower(tall, tmp_path)
    kinds, islands = kinds_of(file), islands_of(file)
    assert {kinds[name] for name in islands} == {"FLOAT"}
    assert kinds["first"] == "FLOAT16"
    casts = [node.name for node in onnx.load(file).graph.node if node.op_type == "Cast"]
    assert len(casts) == 5  # the image, into fp16, into the island, out of it, the logits


def test_an_ordinary_student_has_no_islands(student: Any, tmp_path: Path) -> None:
    get_backend("tensorrt").lower(student.graph, 32, HALF, student.calibration, tmp_path)
    assert islands_of(tmp_path / "model.onnx") == ()
    kinds = kinds_of(tmp_path / "model.onnx")
    assert {kinds[name] for name in ("stem.0", "blocks.0.body.0")} == {"FLOAT16"}


class Scaled(nn.Module):
    """Three linear layers; the second one's weights have a size of their own."""

    def __init__(self, size: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.Linear(8, 8), nn.Linear(8, CLASSES))
        self.layers[1].weight.data *= size

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image.mean((2, 3)))


@pytest.mark.parametrize(("size", "is_island"), [(1.0, False), (1e-6, True), (1e6, True)])
def test_weights_beyond_fp16_stay_even_without_images(
    size: float, is_island: bool, tmp_path: Path
) -> None:
    file = lower(graph_of(Scaled(size)), tmp_path, None)
    assert ("layers.1" in islands_of(file)) == is_island
    assert "layers.0" not in islands_of(file)


class Ending(nn.Module):
    """A convolution and then what `ending` makes of it."""

    def __init__(self, ending: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, CLASSES, 3, padding=1)
        self.ending = ending

    def forward(self, image: Tensor) -> Tensor:
        return self.ending(self.conv(image))


def softmaxed(features: Tensor) -> Tensor:
    return torch.softmax(features.mean((2, 3)), 1)


def normalised(features: Tensor) -> Tensor:
    return nn.functional.layer_norm(features.mean((2, 3)), (CLASSES,))


@pytest.mark.parametrize(
    ("ending", "operator"), [(softmaxed, "Softmax"), (normalised, "LayerNormalization")]
)
def test_sensitive_operators_stay(
    ending: Callable[[Tensor], Tensor], operator: str, tmp_path: Path
) -> None:
    graph = graph_of(Ending(ending))
    file = lower(graph, tmp_path, None)
    nodes = {node.name: node for node in onnx.load(file).graph.node}
    assert [nodes[name].op_type for name in islands_of(file)] == [operator]
    # The last node writes the logits, whose name and type are the bundle's contract.
    assert onnx.load(file).graph.output[0].name == "logits"
    np.testing.assert_allclose(as_written(onnx.load(file)), expected(graph), atol=5e-3)


def test_a_sum_that_exceeds_fp16_before_it_is_divided_stays(tmp_path: Path) -> None:
    def large_mean(features: Tensor) -> Tensor:
        return (features * 0 + 1000.0 + features).mean((2, 3))

    assert 1000.0 < LIMIT < GREATEST < 1000.0 * SIZE * SIZE
    file = lower(graph_of(Ending(large_mean)), tmp_path)
    nodes = {node.name: node.op_type for node in onnx.load(file).graph.node}
    assert [nodes[name] for name in islands_of(file)] == ["ReduceMean"]


def test_nan_on_calibration_images_fails(tmp_path: Path) -> None:
    def logarithm(features: Tensor) -> Tensor:
        return torch.log(-torch.relu(features).mean((2, 3)) - 1.0)

    with pytest.raises(ArtefactError, match=r"\(Log\) gives NaN or infinity on the calibration"):
        lower(graph_of(Ending(logarithm)), tmp_path)
    assert not list(tmp_path.iterdir())


def test_tensorrt_takes_islands(tall: DeployGraph, tmp_path: Path) -> None:
    from edgekd.lower.backends.tensorrt.check import check_engine, checker_versions

    if not checker_versions():
        pytest.skip("TensorRT-RTX is missing: pip install 'edgekd[tensorrt-check]'")
    check = check_engine(lower(tall, tmp_path))
    assert check.status == "passed", check.findings
    (remark,) = check.findings
    assert remark.startswith("float32 where fp16 would overflow or vanish: 'up.")
