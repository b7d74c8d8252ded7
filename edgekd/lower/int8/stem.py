"""The first layer, which stays in float in every int8 file.

Its errors reach every other layer, and it takes a small part of the arithmetic. On a distilled
ResNet-10 at 128 px (897 HAM10000 images) the decisions that int8 flips fell with it in float from
1.6 to 1.2 % (LiteRT), 1.7 to 1.6 % (ONNX Runtime) and 1.4 to 0.3 % (Q/DQ for TensorRT), and no file
became slower on that host. NNCF also treats the first layer separately: on processors without VNNI
its products may overflow.
"""

from __future__ import annotations

import msgspec
import numpy as np

from edgekd.lower.graph import DeployGraph
from edgekd.lower.int8.ranges import observe_ranges
from edgekd.lower.precision import Variant

__all__ = ["stem_of", "with_float_stem"]


def stem_of(graph: DeployGraph, image_size: int) -> str | None:
    """Name within `graph.network` of the layer that is computed first; None without layers."""
    blank = np.zeros((1, image_size, image_size, 3), np.uint8)
    return next(iter(observe_ranges(graph, blank)), None)


def with_float_stem(variant: Variant, stem: str | None) -> Variant:
    """The variant with its first layer in float, where its activations are int8."""
    if stem is None or not variant.calibrated or stem in variant.float_layers:
        return variant
    return msgspec.structs.replace(variant, float_layers=(stem, *variant.float_layers))
