"""`card.md`: the manifest for people who read rather than parse."""

from __future__ import annotations

from typing import Any

from edgekd.bundle import Manifest

__all__ = ["write_card"]


def write_card(manifest: Manifest) -> str:
    """The model card of a bundle, as Markdown."""
    model, lowering = manifest.model, manifest.lowering
    decision = manifest.decision
    lines = [
        f"# {model.name} for {lowering.target}",
        "",
        manifest.description + ".",
        "",
        f"- Classes: {', '.join(model.classes)}",
        f"- Input: {model.image_size} by {model.image_size} RGB, {model.resize}",
        f"- Precision: {lowering.precision} ({lowering.backend}); {lowering.completion}",
        f"- Temperature {decision.temperature:.3f}; refers below {_share(decision.refer_below)}",
        f"- Intended use: {manifest.intended_use}",
        f"- Limits: {manifest.limits}",
        f"- Data: {manifest.data_source}; licence {manifest.licences.get('data', 'unknown')}",
        "",
        *_metrics_table(manifest),
        "",
        *_ladder_table(manifest),
        "",
    ]
    return "\n".join(lines)


def _share(value: float | None) -> str:
    return "never" if value is None else f"a top probability of {value:.2f}"


def _metrics_table(manifest: Manifest) -> list[str]:
    part = manifest.metrics.get("part", "")
    rows = [
        f"## Measured on the {part} part",
        "",
        "| | balanced accuracy | accuracy | ECE |",
        "|---|---|---|---|",
    ]
    for role in ("teacher", "student", "artefact"):
        found = manifest.metrics.get(role)
        if found:
            cells = [_estimate(found[name]) for name in ("balanced_accuracy", "accuracy", "ece")]
            rows.append(f"| {role} | {' | '.join(cells)} |")
    artefact = manifest.metrics.get("artefact") or {"per_class": {}}
    rows += ["", "| class | sensitivity | specificity | images |", "|---|---|---|---|"]
    for name, one in artefact["per_class"].items():
        cells = [_estimate(one["sensitivity"]), _estimate(one["specificity"]), str(one["n"])]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return rows


def _estimate(estimate: dict[str, Any]) -> str:
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    if value is None:
        return "not measured"
    return f"{value:.3f}" if low is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _ladder_table(manifest: Manifest) -> list[str]:
    rows = [
        "## The gate, against the float student",
        "",
        "| precision | MB | balanced accuracy | drop | flips | largest logit change | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for rung in manifest.lowering.rungs:
        gate = rung.gate
        verdict = "taken" if rung.taken else "; ".join(gate.reasons)
        rows.append(
            f"| {rung.precision} | {rung.size_bytes / 1e6:.2f} | {gate.balanced_accuracy:.3f} "
            f"| {gate.balanced_accuracy_drop:.3f} | {gate.flips:.1%} "
            f"| {gate.max_logit_difference:.3g} | {verdict} |"
        )
    return rows
