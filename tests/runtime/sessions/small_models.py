"""A network of three layers in each engine's format, and images for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekd.bundle.model_files import ModelFiles

torch = pytest.importorskip("torch")

SIZE, CLASSES = 16, 3
FILES = {"onnx": "model.onnx", "openvino": "model.xml", "tflite": "model.tflite"}


def make_graph() -> Any:
    from edgekd.lower.graph import deploy_graph

    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU6(), torch.nn.AdaptiveAvgPool2d(1)]
    network = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(4, CLASSES))
    return deploy_graph(network, (0.5,) * 3, (0.25,) * 3)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 1, SIZE, SIZE, 3)).astype(np.uint8)


def in_memory(file: Path) -> ModelFiles:
    """The file, and OpenVINO's weights beside it, as bytes alone."""
    beside = [file, file.with_suffix(".bin")] if file.suffix == ".xml" else [file]
    return ModelFiles(file.name, contents={one.name: one.read_bytes() for one in beside})
