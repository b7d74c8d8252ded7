"""LiteRT, formerly TensorFlow Lite: `model.tflite`."""

from __future__ import annotations

from edgekd.extensions.backends import BackendDescriptor, Requirement

__all__ = ["BACKEND"]

BACKEND = BackendDescriptor(
    name="tflite",
    title="LiteRT",
    lowering="edgekd.lower.backends.tflite:TfliteBackend",
    session="edgekd.runtime.sessions.tflite:open_file",
    engine=Requirement(
        ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"),
        ("ai-edge-litert", "tflite-runtime"),
    ),
    model_file="model.tflite",
    extra="tflite",
    tools=("litert_torch", "ai_edge_quantizer"),
    versions=(
        "litert-torch", "litert-converter", "ai-edge-quantizer", "ai-edge-litert",
        "tflite-runtime",
    ),
    timer="benchmark_model",
)  # fmt: skip
