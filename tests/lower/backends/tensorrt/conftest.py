"""Students as the tensorrt backend lowers them, each made once for all workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgekd.lower.precision import Variant

SIZE = 64
PRECISIONS = ("fp32", "fp16", "int8")


@pytest.fixture(scope="session")
def lowered_student(
    made_once: Callable[[str, Callable[[Path], None]], Path],
) -> Callable[[str, str], Path]:
    """The file of a student of a family in a precision; each student is exported once."""

    def lower(arch: str, precision: str) -> Path:
        folder = made_once(f"tensorrt-{arch}", lambda folder: lower_all(arch, folder))
        return folder / precision / "model.onnx"

    return lower


def lower_all(arch: str, folder: Path) -> None:
    timm = pytest.importorskip("timm")
    from torch import nn

    from edgekd.lower.backends import get_backend
    from edgekd.lower.graph import deploy_graph

    small = {"channels": [24, 48, 96, 192], "stem_width": 16, "act_layer": nn.ReLU6}
    options = small if arch == "resnet10t" else {}
    network = timm.create_model(arch, num_classes=7, **options).eval()
    graph = deploy_graph(network, (0.5,) * 3, (0.2,) * 3)
    images = np.random.default_rng(0).integers(0, 256, (8, SIZE, SIZE, 3)).astype(np.uint8)
    for precision in PRECISIONS:
        out = folder / precision
        out.mkdir(parents=True)
        get_backend("tensorrt").lower(graph, SIZE, Variant(precision=precision), images, out)
