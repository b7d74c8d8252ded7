"""The bundle: one lowered student with everything that a device needs to run it."""

from edgekd.bundle.data_record import DataRecord, PartRecord
from edgekd.bundle.head import EnrolledClass, HeadRecord
from edgekd.bundle.manifest import (
    Appearance,
    CaptureRule,
    Certificate,
    ClassChange,
    EngineCheck,
    EngineRecord,
    FeaturesRecord,
    FileEntry,
    GateRecord,
    LayerSensitivity,
    Limit,
    Lineage,
    Lowering,
    Manifest,
    ModelInfo,
    ProgramRecord,
    ReferenceRecord,
    Rung,
)
from edgekd.bundle.model_files import ModelFiles
from edgekd.bundle.policy import FloorRecord, PolicyRecord, PolicyWords, Sentence, TeacherRecord
from edgekd.bundle.reader import MANIFEST, SELFTEST, Bundle, SignatureState
from edgekd.bundle.signature import SIGNATURE, PublicKey, generate_key, verify_signature
from edgekd.bundle.writer import pack_bundle, sign_bundle, write_bundle, zip_bundle

__all__ = [
    "MANIFEST",
    "SELFTEST",
    "SIGNATURE",
    "Appearance",
    "Bundle",
    "CaptureRule",
    "Certificate",
    "ClassChange",
    "DataRecord",
    "EngineCheck",
    "EngineRecord",
    "EnrolledClass",
    "FeaturesRecord",
    "FileEntry",
    "FloorRecord",
    "GateRecord",
    "HeadRecord",
    "LayerSensitivity",
    "Limit",
    "Lineage",
    "Lowering",
    "Manifest",
    "ModelFiles",
    "ModelInfo",
    "PartRecord",
    "PolicyRecord",
    "PolicyWords",
    "ProgramRecord",
    "PublicKey",
    "ReferenceRecord",
    "Rung",
    "Sentence",
    "SignatureState",
    "TeacherRecord",
    "generate_key",
    "pack_bundle",
    "sign_bundle",
    "verify_signature",
    "write_bundle",
    "zip_bundle",
]
