"""ONNX Runtime: `model.onnx`."""

from __future__ import annotations

from edgekd.extensions.backends import BackendDescriptor, Requirement

__all__ = ["BACKEND"]

BACKEND = BackendDescriptor(
    name="onnx",
    title="ONNX Runtime",
    lowering="edgekd.lower.backends.onnx:OnnxBackend",
    session="edgekd.runtime.sessions.onnx:open_file",
    engine=Requirement(("onnxruntime",), ("onnxruntime", "onnxruntime-gpu")),
    model_file="model.onnx",
    extra="onnx",
    tools=("onnx", "onnxscript", "onnxruntime"),
    versions=("onnx", "onnxscript", "onnxruntime", "onnxruntime-gpu"),
)
