"""A manifest with all that a bill of material takes from it."""

from __future__ import annotations

from typing import Any

import msgspec
from manifests import make_manifest

from edgekd.bundle import (
    ClassChange,
    FileEntry,
    FloorRecord,
    GateRecord,
    Manifest,
    PolicyRecord,
    Rung,
    TeacherRecord,
)

SENSITIVITY = {"value": 0.81, "low": 0.7, "high": 0.9}


def whole_manifest(**changes: Any) -> Manifest:
    """It names no real file; fields by keyword take the default's place."""
    plain = make_manifest()
    change = ClassChange(
        images=40, lost=1, gained=0, drop=0.025, drop_high=0.049, critical=True, limit=0.05
    )
    gate = GateRecord(
        passed=True, reasons=(), images=100, max_logit_difference=0.5, flips=0.02, limits={},
        balanced_accuracy=0.7, balanced_accuracy_drop=0.01, per_class={"mel": change}, runtime={},
    )  # fmt: skip
    floor = FloorRecord(
        code="noticed", quantity="share of mel that is noticed", value=0.8, least=0.9, by="value",
        met=False,
    )  # fmt: skip
    teacher = TeacherRecord(
        state="not-shown", metric="balanced_accuracy", margin=0.05, deficit=0.03, low=-0.01,
        high=0.07,
    )  # fmt: skip
    manifest = msgspec.structs.replace(
        plain,
        intended_use="Decision support.",
        limits="Judged on 100 images.",
        data_source="HAM10000. Tschandl et al. 2018",
        licences={"data": "CC BY-NC 4.0", "weights": "start: package; else as the data"},
        files={"model.onnx": FileEntry(sha256="1" * 64, size=9)},
        policy=PolicyRecord(
            name="dermoscopy", sha256="d" * 64, critical={"mel": 0.05, "bcc": 0.1}, research=True,
            floors=(floor,), teacher=teacher,
        ),
        lowering=msgspec.structs.replace(
            plain.lowering, tools={"onnx": "1.0.0", "numpy": "2.0.0"},
            rungs=(Rung(precision="fp32", chosen=True, size_bytes=9, gate=gate),),
        ),
        metrics={
            "part": "validation",
            "artefact": {
                "balanced_accuracy": {"value": 0.7, "low": 0.6, "high": 0.8},
                "ece": {"value": 0.05, "low": None, "high": None},
                "macro_f1": None,
                "measures": {"bits": {"value": 1.5, "low": 1.0, "high": 2.0}},
                "per_class": {"mel": {"n": 40, "sensitivity": SENSITIVITY}},
            },
            "decision": {
                "answered": {"value": 0.9, "low": 0.8, "high": 0.95},
                "per_class": {"mel": {"images": 40, "missed": {"value": 0.1}}},
            },
        },
    )  # fmt: skip
    return msgspec.structs.replace(manifest, **changes)
