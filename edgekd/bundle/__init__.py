"""The bundle: one lowered student with everything that a device must know of it."""

from edgekd.bundle.manifest import (
    Decision,
    FileEntry,
    GateRecord,
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
    "Decision",
    "FileEntry",
    "GateRecord",
    "Lineage",
    "Lowering",
    "Manifest",
    "ModelInfo",
    "Rung",
    "write_bundle",
    "zip_bundle",
]
