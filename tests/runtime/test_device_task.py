"""A bundle of a task that edgekd does not know is opened and decided by that task's layers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from outside_task import install

from edgekd.errors import ArtefactError
from edgekd.extensions.tasks import load_layer
from edgekd.metrics.task import metrics_task
from edgekd.runtime import Classifier
from edgekd.runtime.selftest import Vectors
from edgekd.runtime.task import device_task

SIZE, SIDES = 16, (2, 2, 2)


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    install(tmp_path / "site", monkeypatch)
    yield
    load_layer.cache_clear()


def make_map_onnx() -> bytes:
    """uint8 [1, S, S, 3] to float [1, 2, 2, 2]: red and green, averaged by quarter."""
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    pool = {"kernel_shape": [SIZE // 2] * 2, "strides": [SIZE // 2] * 2}
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=kinds.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["quarters"], **pool),
        helper.make_node("Slice", ["quarters", "from", "to", "axis"], ["logits"]),
    ]
    sides = {"from": [0], "to": [2], "axis": [1]}
    graph = helper.make_graph(
        nodes,
        "map",
        [helper.make_tensor_value_info("image", kinds.UINT8, [1, SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("logits", kinds.FLOAT, [1, *SIDES])],
        [onnx.numpy_helper.from_array(np.array(side), name) for name, side in sides.items()],
    )
    opset = [helper.make_opsetid("", 13)]
    content: bytes = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    return content


def map_of(images: Any) -> Any:
    planes = np.asarray(images, np.float64)[..., :2].transpose(0, 3, 1, 2)
    half = SIZE // 2
    quarters = planes.reshape(len(planes), 2, 2, half, 2, half).mean(axis=(3, 5))
    return quarters.astype(np.float32)


@pytest.fixture
def make_map_bundle(make_bundle: Any, vectors: Vectors, outside: None) -> Any:
    ours = Vectors(vectors.images, map_of(vectors.images), 1e-3)

    def make(**changes: Any) -> Path:
        usual = {"task": "ploidy", "decision": {}, "model": {"classes": ("red", "green")}}
        path: Path = make_bundle(make_map_onnx(), **(usual | {"vectors": ours} | changes))
        return path

    return make


def test_values_are_predicted(make_map_bundle: Any) -> None:
    with Classifier.open(make_map_bundle()) as classifier:
        prediction = classifier.predict(np.full((SIZE, SIZE, 3), (200, 10, 0), np.uint8))
        report = classifier.selftest()
    assert (prediction.label, prediction.decision) == ("200.0;10.0", "answer")
    assert prediction.values == {"red": 200.0, "green": 10.0}
    assert (prediction.probability, prediction.probabilities) == (None, {})
    assert prediction.logits == (200.0,) * 4 + (10.0,) * 4
    assert (report.passed, report.images, report.flips) == (True, 16, 0)


def test_the_decision_of_the_task_is_applied(make_map_bundle: Any) -> None:
    with Classifier.open(make_map_bundle(decision={"highest": 100.0})) as classifier:
        prediction = classifier.predict(np.full((SIZE, SIZE, 3), (200, 10, 0), np.uint8))
    assert prediction.decision == "refer"
    assert [reason.code for reason in prediction.reasons] == ["too-high"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"decision": {"highest": -1.0}}, "contradicts itself: highest must be positive"),
        ({"decision": {"highest": "x"}}, "section `decision` is not valid"),
        ({"model": {"classes": ("red", "green", "blue")}}, "to [1, 3, 2, 2]"),
        ({"task": "aneuploidy"}, "the task 'aneuploidy', which is not installed"),
    ],
)
def test_bundle_that_does_not_fit_the_task_is_refused(
    make_map_bundle: Any, changes: dict[str, Any], text: str
) -> None:
    path = make_map_bundle(**changes)
    with pytest.raises(ArtefactError) as caught:
        Classifier.open(path)
    assert text in caught.value.message


def test_vectors_of_another_shape_are_refused(make_map_bundle: Any, vectors: Vectors) -> None:
    flat = Vectors(vectors.images, map_of(vectors.images).reshape(16, -1), 1e-3)
    with pytest.raises(ArtefactError, match="do not belong to the model file"):
        Classifier.open(make_map_bundle(vectors=flat))


def test_layer_of_another_kind_is_refused(outside: None) -> None:
    assert device_task("ploidy").output_shape(("a",)) == (1, 1, 2, 2)
    with pytest.raises(
        ArtefactError, match="the layer 'metrics' of the task ploidy of ploidy-task"
    ):
        metrics_task("ploidy")
