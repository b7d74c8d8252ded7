"""Facts of a made-up bundle for the tests of the dossier."""

from __future__ import annotations

from typing import Any

from manifests import make_manifest
from scripted import mixed

from edgekd.bundle import DataRecord, FileEntry, PartRecord
from edgekd.bundle.policy import FloorRecord, PolicyRecord, PolicyWords
from edgekd.dossier.facts import DossierFacts, ExternalFacts
from edgekd.evaluation.document import LeakFacts

DATA = DataRecord(
    name="spots",
    parts={
        "train": PartRecord(
            images=2000,
            groups=1500,
            classes={"bkl": 100, "mel": 500, "nv": 1400},
            attributes={
                "sex": {"female": 12, "male": 1988},
                "dx_type": {"histo": 1900, "consensus": 100},
                "camera": {"A": 2000},
            },
        ),
        "validation": PartRecord(
            images=40, groups=40, classes={"bkl": 5, "mel": 15, "nv": 20},
            attributes={"sex": {"male": 40}},
        ),
    },
    unused=7,
)  # fmt: skip
SENSITIVITY = {"value": 0.8, "low": 0.55, "high": 0.93}
METRICS = {
    "part": "validation",
    "artefact": {
        "balanced_accuracy": {"value": 0.75, "low": 0.6, "high": 0.85},
        "per_class": {
            "mel": {"n": 15, "sensitivity": SENSITIVITY, "specificity": SENSITIVITY},
            "bkl": {"n": 5, "sensitivity": SENSITIVITY, "specificity": SENSITIVITY},
            "nv": {"n": 200, "sensitivity": SENSITIVITY, "specificity": SENSITIVITY},
        },
    },
}
POLICY = PolicyRecord(
    name="dermoscopy",
    sha256="p" * 64,
    critical={"mel": 0.02},
    words=PolicyWords(first=("mel",), group="lesion", groups="lesions"),
    floors=(
        FloorRecord(
            code="noticed", quantity="the noticed share of mel", value=0.9, least=0.95, by="value",
            met=False,
        ),
    ),
)  # fmt: skip


def facts_of(
    answers: dict[str, tuple[str, ...]] | None = None,
    external: ExternalFacts | None = None,
    **changes: Any,
) -> DossierFacts:
    """The facts; fields of the manifest by keyword take the default's place."""
    fields = {
        "data": DATA,
        "metrics": METRICS,
        "policy": POLICY,
        "files": {"model.onnx": FileEntry(sha256="m" * 64, size=3)},
        "intended_use": "Decision support for trained staff.",
        "limits": "Judged on 40 validation images.",
        "description": "tiny for a made-up device",
        "data_source": "spots. By <me>.",
    }
    manifest = make_manifest(**(fields | changes))
    return DossierFacts(manifest, "5" * 64, "none", answers or {}, external)


def external(state: Any = "none", index: int = 0) -> ExternalFacts:
    """The first model of a scripted validation of three models with subgroups."""
    result = mixed().result
    section = result.validation
    assert section is not None
    model = section.models[index]
    leaks = LeakFacts(model=model.name, state=state, reason="it has no list", by_part={"train": 3})
    return ExternalFacts(result, section, model, leaks)
