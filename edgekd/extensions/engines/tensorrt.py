"""TensorRT: `model.onnx`, from which the device builds `model.engine`."""

from __future__ import annotations

from edgekd.extensions.backends import BackendDescriptor, Requirement

__all__ = ["BACKEND"]

BACKEND = BackendDescriptor(
    name="tensorrt",
    title="TensorRT",
    lowering="edgekd.lower.backends.tensorrt.lowering:TensorRtBackend",
    session="edgekd.runtime.sessions.tensorrt.session:open_file",
    engine=Requirement(("tensorrt",), ("tensorrt",)),
    model_file="model.onnx",
    extra="tensorrt",
    tools=("onnx", "onnxscript", "onnxruntime"),
    versions=("onnx", "onnxscript", "onnxruntime"),
    completion="finish-on-device",
    host="onnx",
    diagnosis="edgekd.doctor.tensorrt.diagnosis:examine_jetson",
)
