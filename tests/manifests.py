"""A manifest for tests of what reads one."""

from __future__ import annotations

from typing import Any

import msgspec

from edgekd.bundle import Lineage, Lowering, Manifest, ModelInfo
from edgekd.tasks.classification.manifest import Decision

__all__ = ["make_manifest"]


def make_manifest(**changes: Any) -> Manifest:
    """A manifest around an ONNX file; fields by keyword take the default's place."""
    manifest = Manifest(
        version="0.1.0",
        task="classification",
        model=ModelInfo(name="tiny", classes=("bkl", "mel", "nv"), image_size=16),
        decision=Decision(),
        lowering=Lowering(target="cpu", backend="onnx", precision="fp32"),
        metrics={"artefact": {"balanced_accuracy": 0.75}},
        lineage=Lineage(method="kd", seed=3),
        model_file="model.onnx",
        files={},
    )
    return msgspec.structs.replace(manifest, **changes)
