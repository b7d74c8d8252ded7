"""A bundle that waits for its board, with the evidence beside it."""

from __future__ import annotations

from pathlib import Path

from colour_networks import CLASSES, SIZE, coloured_images, logits_of, mean_colour

from edgekd.bundle import SELFTEST, Lineage, Lowering, Manifest, ModelInfo, write_bundle
from edgekd.bundle.policy import PolicyRecord
from edgekd.lower.evidence.device_gate import Evidence, Terms, evidence_beside
from edgekd.policy import DecisionRule, GateLimits
from edgekd.runtime.selftest import Vectors
from edgekd.tasks.classification.manifest import Decision

__all__ = ["COMMAND", "IMAGES", "TERMS", "make_bundle"]

IMAGES = 90
COMMAND = "edgekd build --on-device BUNDLE"
TERMS = Terms(
    classes=CLASSES,
    limits=GateLimits(
        max_flips=0.02,
        max_balanced_accuracy_drop=0.04,
        max_sensitivity_drop=0.02,
        max_ece_increase=0.02,
    ),
    critical={"mel": 0.1},
    rule=DecisionRule(refer_coverage=0.9, critical_sensitivity=0.9),
    exact=True,
    fitted_on={"part": "validation", "images": IMAGES},
)


def make_bundle(
    folder: Path,
    onnx: bytes | None = None,
    tolerance: float = 0.01,
    *,
    terms: Terms = TERMS,
    policy: PolicyRecord | None = None,
    program: bytes | None = None,
) -> Path:
    """An unfinished bundle and its evidence beside it; `program` is for torch-tensorrt."""
    images, targets = coloured_images(IMAGES)
    student = logits_of(images)
    bundle = folder / "bundles" / "jetson"
    evidence = Evidence(images, student, targets, terms, teacher=student)
    sha256 = evidence.save(evidence_beside(bundle))
    vectors = folder / SELFTEST
    Vectors(images[:16], student[:16], tolerance).save(vectors)
    manifest = Manifest(
        version="0",
        task="classification",
        model=ModelInfo(name="mean", classes=CLASSES, image_size=SIZE),
        decision=Decision(temperature=9.0),
        lowering=Lowering(
            target="jetson",
            backend="tensorrt",
            precision="fp32",
            completion="finish-on-device",
            completion_command=COMMAND,
            tools={"onnx": "1"},
            evidence_sha256=sha256,
        ),
        policy=policy,
        metrics={"part": "validation", "teacher": None},
        lineage=Lineage(method="none"),
        model_file="model.onnx",
        files={},
        description="mean colours",
    )
    files: dict[str, Path | bytes] = {
        "model.onnx": onnx or mean_colour(),
        SELFTEST: vectors,
        "card.md": b"# as the host wrote it",
    }
    if program is not None:
        files["model.pt2"] = program
    write_bundle(bundle, manifest, files)
    return bundle
