"""OpenVINO: `model.xml` and `model.bin`."""

from __future__ import annotations

from edgekd.extensions.backends import BackendDescriptor, Requirement

__all__ = ["BACKEND"]

BACKEND = BackendDescriptor(
    name="openvino",
    title="OpenVINO",
    lowering="edgekd.lower.backends.openvino:OpenVinoBackend",
    session="edgekd.runtime.sessions.openvino:open_file",
    engine=Requirement(("openvino",), ("openvino",)),
    model_file="model.xml",
    extra="openvino",
    tools=("onnx", "onnxscript", "openvino", "nncf"),
    versions=("onnx", "onnxscript", "openvino", "nncf"),
)
