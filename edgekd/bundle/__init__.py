"""The bundle: one lowered student with everything that a device must know of it."""

from edgekd.bundle.manifest import (
    ClassChange,
    Decision,
    FileEntry,
    GateRecord,
    LayerHarm,
    Lineage,
    Lowering,
    Manifest,
    ModelInfo,
    Rung,
)
from edgekd.bundle.reader import MANIFEST, SELFTEST, Bundle
from edgekd.bundle.writer import write_bundle, zip_bundle

__all__ = [
    "MANIFEST",
    "SELFTEST",
    "Bundle",
    "ClassChange",
    "Decision",
    "FileEntry",
    "GateRecord",
    "LayerHarm",
    "Lineage",
    "Lowering",
    "Manifest",
    "ModelInfo",
    "Rung",
    "write_bundle",
    "zip_bundle",
]
