"""The model card of a bill of material: CycloneDX's `modelCard`, from the manifest alone.

Source: CycloneDX 1.6, JSON schema, definitions `modelCard` and `performanceMetric`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgekd.bundle import GateRecord, Manifest
from edgekd.dossier.bom.components import DATA

__all__ = ["model_card"]

Json = dict[str, Any]


def model_card(manifest: Manifest) -> Json:
    """The card: what it is for, how it was learnt, how good it is, what is critical."""
    return {
        "modelParameters": _parameters(manifest),
        "quantitativeAnalysis": {"performanceMetrics": list(_performance(manifest.metrics))},
        "considerations": _considerations(manifest),
        "properties": list(_properties(manifest)),
    }


def _parameters(manifest: Manifest) -> Json:
    model, tensors = manifest.model, manifest.network_data_format
    side = model.image_size
    outputs = tensors.get("outputs") or {"logits": {}}
    classes = ", ".join(model.classes)
    return {
        "approach": {"type": "supervised"},
        "task": manifest.task,
        "modelArchitecture": model.name,
        "datasets": [{"ref": DATA}],
        "inputs": [{"format": f"image: {model.colour} uint8 [{side}, {side}, 3], {model.resize}"}],
        "outputs": [{"format": f"{name}: float32, of {classes}"} for name in outputs],
    }


def _performance(metrics: Mapping[str, Any]) -> Iterator[Json]:
    """Metrics of this very file, and what its decision does, each with its interval."""
    part = f"{metrics.get('part', 'unknown')} part"
    measured = metrics.get("artefact") or {}
    yield from _estimates(measured | (measured.get("measures") or {}), part)
    for name, values in (measured.get("per_class") or {}).items():
        yield from _estimates(values, f"{part}, class {name}, {values.get('n')} images")
    outcome = metrics.get("decision") or {}
    yield from _estimates(outcome, f"{part}, decisions")
    for name, values in (outcome.get("per_class") or {}).items():
        images = values.get("images")
        yield from _estimates(values, f"{part}, decisions, class {name}, {images} images")


def _estimates(values: Mapping[str, Any], part: str) -> Iterator[Json]:
    for name, estimate in values.items():
        if not isinstance(estimate, Mapping) or estimate.get("value") is None:
            continue
        metric: Json = {
            "type": name.replace("_", " "),
            "value": f"{estimate['value']:.4f}",
            "slice": part,
        }
        low, high = estimate.get("low"), estimate.get("high")
        if low is not None and high is not None:
            bounds = {"lowerBound": f"{low:.4f}", "upperBound": f"{high:.4f}"}
            metric["confidenceInterval"] = bounds
        yield metric


def _considerations(manifest: Manifest) -> Json:
    policy, gate = manifest.policy, _gate(manifest)
    critical = policy.critical if policy else {}
    sections: Json = {
        "useCases": [manifest.intended_use],
        "technicalLimitations": [manifest.limits, *(policy.unmet() if policy else ())],
        "performanceTradeoffs": list(_tradeoffs(manifest, gate)),
        "ethicalConsiderations": [_risk(name, critical[name], gate) for name in critical],
    }
    filled = {name: [each for each in values if each] for name, values in sections.items()}
    return {name: values for name, values in filled.items() if values}


def _gate(manifest: Manifest) -> GateRecord | None:
    """The verdict on this very file: of the device's engine, where it built one."""
    lowering = manifest.lowering
    if lowering.engine is not None:
        return lowering.engine.gate
    return next((rung.gate for rung in lowering.rungs if rung.chosen), None)


def _tradeoffs(manifest: Manifest, gate: GateRecord | None) -> Iterator[str]:
    if gate is not None and gate.balanced_accuracy_drop is not None:
        yield (
            f"{manifest.lowering.precision} against the float student: balanced accuracy "
            f"{-gate.balanced_accuracy_drop:+.3f}, {gate.flips:.1%} of the answers changed"
        )
    policy = manifest.policy
    if policy is not None and policy.teacher is not None:
        yield policy.teacher.sentence


def _risk(name: str, limit: float, gate: GateRecord | None) -> Json:
    """A critical class, with what lowering cost it."""
    change = gate.per_class.get(name) if gate is not None else None
    allowed = f"a lowered file may lose at most {100 * limit:.3g} points of its sensitivity"
    if change is None or change.drop is None:
        return {"name": f"critical class {name}", "mitigationStrategy": allowed}
    bound = "" if change.drop_high is None else f", at most {100 * change.drop_high:.1f} at 95 %"
    lost = f"; this one lost {100 * change.drop:.1f}{bound}, on {change.images} images"
    return {"name": f"critical class {name}", "mitigationStrategy": allowed + lost}


def _properties(manifest: Manifest) -> Iterator[Json]:
    lineage, policy = manifest.lineage, manifest.policy
    values = {
        "classes": ", ".join(manifest.model.classes),
        "method": lineage.method,
        "seed": lineage.seed,
        "recipe-sha256": lineage.recipe_sha256,
        "git-revision": lineage.git_revision,
        "parameters": manifest.model.params,
        "policy": policy.name if policy else None,
        "research": str(policy.research).lower() if policy else None,
    }
    for name, value in values.items():
        if value is not None:
            yield {"name": f"edgekd:{name}", "value": str(value)}
