"""Deploy graph → ONNX, the form from which OpenVINO and TensorRT start."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import torch

from edgekd.lower.graph import DeployGraph

if TYPE_CHECKING:
    import onnx

__all__ = ["OPSET", "clean_model", "export_onnx"]

OPSET = 18
"""The lowest that torch's exporter writes without down-conversion; TensorRT 10 reads it."""


@functools.lru_cache(maxsize=1)
def export_onnx(graph: DeployGraph, image_size: int) -> onnx.ModelProto:
    """The graph as ONNX: `image` uint8 [1, S, S, 3] to `logits` float32 [1, K].

    The last answer is kept, because each precision of a backend starts from it; do not
    change it.
    """
    sample = torch.zeros(1, image_size, image_size, 3, dtype=torch.uint8)
    program = torch.onnx.export(
        graph,
        (sample,),
        input_names=["image"],
        output_names=["logits"],
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    if program is None:  # only the old exporter answers None
        raise RuntimeError("torch.onnx.export gave no program")
    return clean_model(program.model_proto)


def clean_model(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` without what is of no use on a device, in place.

    torch's exporter writes stack traces with paths of this machine into every node, and
    ONNX Runtime imports operator sets of which the model uses none.
    """
    graph = model.graph
    parts: list[Any] = [model, graph, *graph.node, *graph.input, *graph.output]
    for part in [*parts, *graph.value_info, *graph.initializer]:
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    used = {node.domain for node in graph.node} | {""}
    kept = [opset for opset in model.opset_import if opset.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    return model
