"""Real bundles around a small real ONNX file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from manifests import make_manifest

from edgekd.bundle import SELFTEST, Lowering, ModelInfo, write_bundle
from edgekd.runtime.selftest import Vectors

SIZE = 16
CLASSES = ("bkl", "mel", "nv")
MEANS = np.array([[4.0, -3.0, 0.5], [-2.0, 5.0, 1.0], [1.0, -1.0, 3.0]], np.float32) / 64

BundleMaker = Callable[..., Path]


def make_onnx(size: int, classes: int) -> bytes:
    """uint8 [1, S, S, 3] to float [1, K]: the colour's mean, times a matrix."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, kinds = onnx.helper, onnx.TensorProto
    weights = np.resize(MEANS, (3, classes))
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=kinds.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", kinds.UINT8, [1, size, size, 3])],
        [helper.make_tensor_value_info("logits", kinds.FLOAT, [1, classes])],
        [onnx.numpy_helper.from_array(weights, "weights")],
    )
    opset = [helper.make_opsetid("", 13)]
    content: bytes = helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()
    return content


def expected_logits(images: Any) -> Any:
    """What the network of `make_onnx` answers, float32 [N, 3]."""
    return (np.asarray(images).mean(axis=(1, 2)) @ MEANS.astype(np.float64)).astype(np.float32)


@pytest.fixture(scope="session")
def tiny_onnx() -> bytes:
    return make_onnx(SIZE, len(CLASSES))


@pytest.fixture(scope="session")
def vectors() -> Vectors:
    images = np.random.default_rng(0).integers(0, 256, (16, SIZE, SIZE, 3)).astype(np.uint8)
    return Vectors(images, expected_logits(images), 1e-3)


@pytest.fixture
def make_bundle(tmp_path: Path, tiny_onnx: bytes, vectors: Vectors) -> BundleMaker:
    """Writes a bundle; manifest sections by keyword take the default's place."""

    def make(
        content: bytes | None = None,
        vectors: Vectors | None = vectors,
        model: dict[str, Any] | None = None,
        lowering: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Path:
        info = {"name": "tiny", "classes": CLASSES, "image_size": SIZE} | (model or {})
        lowered = {"target": "cpu", "backend": "onnx", "precision": "fp32"} | (lowering or {})
        files: dict[str, Path | bytes] = {"model.onnx": tiny_onnx if content is None else content}
        if vectors is not None:
            files[SELFTEST] = tmp_path / SELFTEST
            vectors.save(tmp_path / SELFTEST)
        manifest = make_manifest(model=ModelInfo(**info), lowering=Lowering(**lowered), **changes)
        out = tmp_path / f"bundle-{len(list(tmp_path.iterdir()))}"
        write_bundle(out, manifest, files)
        return out

    return make
