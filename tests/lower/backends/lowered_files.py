"""The small student as files of each backend, and what is read in those files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgekd.lower.backends import get_backend
from edgekd.lower.precision import Variant
from edgekd.runtime.sessions import open_session

__all__ = [
    "BUILT_IN",
    "CLASSES",
    "FLOAT_LAYERS",
    "FROM_ONNX",
    "MEAN",
    "SIZE",
    "STD",
    "answers",
    "float_in_order",
    "variant",
    "weighted_sources",
]

SIZE, CLASSES = 32, 4  # as the fixture `student` is made
MEAN, STD = (0.7, 0.55, 0.5), (0.2, 0.2, 0.2)  # of its pixels, too
BUILT_IN = ("onnx", "openvino", "tensorrt", "tflite")
FROM_ONNX = ("onnx", "openvino", "tensorrt")
FLOAT_LAYERS = ("stem.0", "blocks.1.body.0", "head.2")
"""A convolution, a depthwise one and a linear layer of the fixture `student`."""


def variant(precision: str) -> Variant:
    layers = FLOAT_LAYERS if precision == "int8-mixed" else ()
    return Variant(precision=precision, float_layers=layers)


def answers(name: str, folder: Path, student: Any) -> tuple[np.ndarray, dict[str, Any]]:
    backend = get_backend(name)
    session = open_session(backend.host_session, folder / backend.model_file, threads=1)
    assert session.input_shape == (1, SIZE, SIZE, 3)
    assert session.output_shape == (1, CLASSES)
    logits = np.concatenate([session.run(image[None]) for image in student.images])
    assert logits.dtype == np.float32
    return logits, session.facts


def float_in_order(precision: str) -> list[bool]:
    """Which of the fixture's layers, from image to logits, are to stay float."""
    blocks = [f"blocks.{block}.body.{layer}" for block in (0, 1) for layer in (0, 3)]
    layers = ["stem.0", *blocks, "head.2"]
    return [precision == "int8-mixed" and layer in FLOAT_LAYERS for layer in layers]


def weighted_sources(folder: Path) -> list[list[str]]:
    """What gives each weighted layer its activations and its weights: operators, or nothing."""
    import onnx

    graph = onnx.load(folder / "model.onnx").graph
    producer = {output: node.op_type for node in graph.node for output in node.output}
    weighted = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    return [[producer.get(name, "") for name in node.input[:2]] for node in weighted]
