"""Makes `models/`: one small network for each engine, and its self-test vectors.

    PYTHONPATH=tests python -m abuse.make_models

The files are kept in the repository, so that a case of the fuzz is the same bytes everywhere and
the tests need neither torch nor a minute of lowering.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from abuse.bundles import CLASSES, MODELS, SIZE
from edgekd.runtime.selftest import Vectors

VECTORS = 2


def make_network() -> Any:
    """Three convolutions; large weights in the last layer, so that answers differ."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(3, 4, 3, stride=2), nn.ReLU6()]
    layers += [nn.Conv2d(4, 8, 3, stride=2), nn.ReLU6(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU6()]
    head = nn.Linear(8, len(CLASSES))
    nn.init.normal_(head.weight, std=8.0)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def make_models(out: Path) -> None:
    import torch

    from edgekd.lower.backends import get_backend
    from edgekd.lower.graph import deploy_graph
    from edgekd.lower.precision import Variant

    graph = deploy_graph(make_network(), (0.5,) * 3, (0.25,) * 3)
    with tempfile.TemporaryDirectory() as folder:
        for backend in ("openvino", "tensorrt", "tflite"):
            get_backend(backend).lower(graph, SIZE, Variant(precision="fp32"), None, Path(folder))
        for file in Path(folder).glob("model.*"):
            shutil.copyfile(file, out / file.name)
    shape = (VECTORS, SIZE, SIZE, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    logits = graph(torch.from_numpy(images)).detach().numpy()
    Vectors(images, logits, 1e-3).save(out / "selftest.npz")


if __name__ == "__main__":
    make_models(MODELS)
