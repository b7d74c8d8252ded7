"""What a bundle says of its file: the manifest, with the decision fitted on that very file."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

import edgekd
from edgekd.bundle import Decision, Lineage, Lowering, Manifest, ModelInfo, Rung
from edgekd.lower.calibration import CalibrationSet
from edgekd.lower.candidate import Candidate
from edgekd.lower.source import Source
from edgekd.metrics import fit_temperature, metrics_of
from edgekd.runtime.decision import calibrated
from edgekd.targets import Target

__all__ = ["describe"]


def describe(
    source: Source,
    target: Target,
    candidate: Candidate,
    rungs: tuple[Rung, ...],
    calibration: CalibrationSet | None,
) -> Manifest:
    """The manifest of one lowered file; the writer fills in its list of files.

    Args:
        source: The float student and its validation images.
        target: For which device.
        candidate: The file that was taken.
        rungs: Every precision that was tried.
        calibration: What int8 ranges were measured on, or None.
    """
    card = source.checkpoint.card
    int8 = candidate.precision == "int8" and calibration is not None
    return Manifest(
        version=edgekd.__version__,
        task=card.task,
        model=ModelInfo(
            name=card.arch,
            classes=card.classes,
            image_size=card.image_size,
            resize=card.resize,
            params=card.params,
            macs=card.macs,
        ),
        decision=_decision(source, target, candidate),
        lowering=Lowering(
            target=target.name,
            backend=target.backend,
            precision=candidate.precision,
            completion=candidate.backend.completion,
            completion_command=_completion_command(target, candidate),
            rungs=rungs,
            calibration=calibration.record() if int8 and calibration else None,
            tools=candidate.tools,
        ),
        metrics=_metrics(source, candidate),
        lineage=Lineage(
            method=card.training.method,
            recipe_sha256=card.training.recipe_sha256,
            data_sha256=card.data.sha256,
            seed=card.training.seed,
            git_revision=card.training.git_revision,
            teacher=card.training.teacher,
        ),
        model_file=candidate.backend.model_file,
        files={},
        network_data_format=_data_format(card.image_size, card.classes),
        description=f"{card.arch} for {target.title}, distilled by {card.training.method}",
        intended_use=(
            "Decision support for trained staff who look at the patient themselves; not a "
            "diagnosis and not a medical device."
        ),
        limits=(
            f"Judged on {len(source.targets)} validation images of {card.data.name}; other "
            "cameras, skin types and diseases are outside of what was measured."
        ),
        data_source=f"{card.data.name}. {card.data.citation}".strip(),
        licences={
            "data": card.data.licence or "unknown",
            "weights": f"start: {card.pretrained}; else as the data",
        },
    )


def _completion_command(target: Target, candidate: Candidate) -> str | None:
    if candidate.backend.completion == "complete":
        return None
    return f"edgekd build --target {target.name} --on-device BUNDLE"


def _decision(source: Source, target: Target, candidate: Candidate) -> Decision:
    """Temperature and refer threshold of this very file, on the validation images."""
    temperature = fit_temperature(candidate.logits, source.targets)
    coverage = target.decision.refer_coverage
    top = calibrated(candidate.logits, temperature).max(axis=1)
    return Decision(
        temperature=temperature,
        refer_below=float(np.quantile(top, 1.0 - coverage)) if coverage < 1.0 else None,
        refer_coverage=coverage if coverage < 1.0 else None,
        fitted_on={
            "part": "validation",
            "images": len(source.targets),
            "split_sha256": source.checkpoint.card.data.sha256,
        },
    )


def _metrics(source: Source, candidate: Candidate) -> dict[str, Any]:
    """Of teacher, float student and this very file, all on the validation part."""
    classes = source.checkpoint.card.classes
    own = metrics_of(candidate.logits, source.targets, classes)
    return {
        "part": "validation",
        "teacher": (source.metrics.get("teacher") or {}).get("validation"),
        "student": source.metrics.get("validation"),
        "artefact": msgspec.to_builtins(own),
    }


def _data_format(size: int, classes: tuple[str, ...]) -> dict[str, Any]:
    """Tensors in and out, by the field names of MONAI's bundle specification."""
    image = {
        "type": "image",
        "format": "RGB",
        "num_channels": 3,
        "spatial_shape": [size, size],
        "dtype": "uint8",
        "value_range": [0, 255],
    }
    logits = {
        "type": "probabilities",
        "format": "logits",
        "num_channels": len(classes),
        "dtype": "float32",
        "channel_def": {str(index): name for index, name in enumerate(classes)},
    }
    return {"inputs": {"image": image}, "outputs": {"logits": logits}}
