"""Networks of a few nodes in ONNX, as TensorRT wants them, and images that they tell apart."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SIZE = 16
CLASSES = ("nv", "mel", "bcc")


def mean_colour(weight: float = 0.05, hidden: int = 0) -> bytes:
    """Logits are the mean colours times `weight`; `hidden` layers before change nothing.

    Args:
        weight: Negative for a network that answers the opposite.
        hidden: Convolutions that hand on what they get, each of another width: work for a builder.
    """
    weights = {"scale": np.eye(3, dtype=np.float32) * weight}
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes0"], "layout", perm=[0, 3, 1, 2]),
    ]
    width = 3
    for index in range(hidden):
        wider = 8 * (index + 2)
        kernel = np.zeros((wider, width, 3, 3), np.float32)
        kernel[range(3), range(3), 1, 1] = 1.0
        weights[f"kernel{index}"] = kernel
        nodes.append(
            helper.make_node(
                "Conv", [f"planes{index}", f"kernel{index}"], [f"planes{index + 1}"],
                f"conv{index}", pads=[1, 1, 1, 1],
            )
        )  # fmt: skip
        width = wider
    if hidden:
        weights["scale"] = np.eye(width, 3, dtype=np.float32) * weight
    nodes += [
        helper.make_node(
            "ReduceMean", [f"planes{hidden}"], ["mean"], "mean", axes=[2, 3], keepdims=0
        ),
        helper.make_node("MatMul", ["mean", "scale"], ["logits"], "head"),
    ]
    graph = helper.make_graph(
        nodes,
        "mean colour",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    raw: bytes = model.SerializeToString()
    return raw


def coloured_images(count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images [N, S, S, 3] that are brightest in the colour of their class, and the classes [N]."""
    random = np.random.default_rng(0)
    targets = np.arange(count) % len(CLASSES)
    images = random.integers(0, 120, (count, SIZE, SIZE, 3))
    images[np.arange(count), :, :, targets] += random.integers(20, 120, (count, 1, 1))
    return images.astype(np.uint8), targets.astype(np.int64)


def logits_of(images: NDArray[np.uint8], weight: float = 0.05) -> NDArray[np.float32]:
    """What `mean_colour` answers."""
    logits: NDArray[np.float32] = (images.astype(np.float32).mean(axis=(1, 2)) * weight).astype(
        np.float32
    )
    return logits
