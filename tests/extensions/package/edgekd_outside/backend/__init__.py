"""ONNX's reference implementation: a NumPy interpreter, slow and exact."""

from edgekd.extensions.backends import BackendDescriptor, Requirement

BACKEND = BackendDescriptor(
    name="reference",
    title="ONNX's reference implementation",
    lowering="edgekd_outside.backend.lowering:ReferenceBackend",
    session="edgekd_outside.backend.session:open_file",
    engine=Requirement(("onnx.reference",), ("onnx",)),
    model_file="graph.onnx",
    versions=("onnx", "onnxscript"),
)
