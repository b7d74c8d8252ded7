"""Makes `edgekd/conformance/models/`: one small network in float and in int8, for two engines.

    PYTHONPATH=tests python tests/conformance/make_models.py

The files are kept in the package, so that vectors are written without PyTorch and their logits come
from the same bytes everywhere.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

SIZE, CLASSES, IMAGES = 32, 3, 64
MODELS = Path(__file__).resolve().parents[2] / "edgekd" / "conformance" / "models"


def make_network() -> Any:
    """Three convolutions; large weights in the last layer, so that answers differ."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(3, 8, 3, stride=2), nn.ReLU6()]
    layers += [nn.Conv2d(8, 8, 3, stride=2), nn.ReLU6(), nn.Conv2d(8, 8, 3), nn.ReLU6()]
    head = nn.Linear(8, CLASSES)
    nn.init.normal_(head.weight, std=12.0)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).eval()


def photo_like() -> Any:
    """Images of soft colours, by which the ranges are measured."""
    import cv2

    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (IMAGES, 4, 4, 3), np.uint8)
    return np.stack([cv2.resize(image, (SIZE, SIZE)) for image in small])


def make_models(out: Path) -> None:
    from edgekd.lower.backends import get_backend
    from edgekd.lower.graph import deploy_graph
    from edgekd.lower.precision import Variant

    graph = deploy_graph(make_network(), (0.5,) * 3, (0.25,) * 3)
    calibration = photo_like()
    for precision, given in (("fp32", None), ("int8", calibration)):
        for backend in ("onnx", "tflite"):
            with tempfile.TemporaryDirectory() as folder:
                variant = Variant(precision=precision)
                get_backend(backend).lower(graph, SIZE, variant, given, Path(folder))
                place = out / precision
                place.mkdir(parents=True, exist_ok=True)
                for file in Path(folder).glob("model.*"):
                    shutil.copyfile(file, place / file.name)


if __name__ == "__main__":
    make_models(Path(sys.argv[1]) if len(sys.argv) > 1 else MODELS)
