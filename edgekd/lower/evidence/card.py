"""`card.md`: the manifest for people who read rather than parse.

Sections after Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgekd.bundle import ClassChange, Manifest, Rung

__all__ = ["write_card"]

_HARM_ROWS = 10
_BOUND = "one-sided 95 % bound"
_METRICS = {
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "macro_auroc": "macro AUROC",
    "ece": "ECE",
}


def write_card(manifest: Manifest) -> str:
    """The model card of a bundle, as Markdown."""
    sections = (
        _model(manifest),
        _use(manifest),
        _data(manifest),
        _decision(manifest),
        _capture(manifest),
        _metrics(manifest),
        _classes(manifest),
        _gate(manifest),
        _engine(manifest),
        _harm(manifest),
        _caveats(manifest),
    )
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"


def _model(manifest: Manifest) -> Iterator[str]:
    model, lowering, lineage = manifest.model, manifest.lowering, manifest.lineage
    yield f"# {model.name} for {lowering.target}"
    yield ""
    yield manifest.description + "."
    yield ""
    yield f"- Classes: {', '.join(model.classes)}"
    yield f"- Input: {model.image_size} by {model.image_size} RGB, {model.resize}"
    if model.params is not None and model.macs is not None:
        size = f"{model.params / 1e6:.2f} M parameters, {model.macs / 1e6:.0f} M MAC an image"
        yield f"- Size: {size}"
    yield f"- File: {lowering.precision} by {lowering.backend}; {lowering.completion}"
    if lowering.check is not None:
        yield f"- TensorRT check: {lowering.check.summary}"
        for finding in lowering.check.findings:
            yield f"- TensorRT check: {finding}"
    yield f"- Made by: edgekd {manifest.version}; {_listed(lowering.tools)}"
    recipe = _short(lineage.recipe_sha256)
    yield f"- Trained by: {lineage.method}, seed {lineage.seed}, recipe {recipe}"
    yield f"- Teacher: {_short(lineage.teacher)}; revision {_short(lineage.git_revision)}"
    if lowering.quantisation_aware:
        yield "- The weights were trained on with simulated int8 before lowering."


def _use(manifest: Manifest) -> Iterator[str]:
    yield "## Intended use"
    yield ""
    yield manifest.intended_use


def _data(manifest: Manifest) -> Iterator[str]:
    calibration = manifest.lowering.calibration
    yield "## Data"
    yield ""
    yield f"- {manifest.data_source}"
    yield f"- Licence of the data: {manifest.licences.get('data', 'unknown')}"
    yield f"- Licence of the weights: {manifest.licences.get('weights', 'unknown')}"
    if calibration:
        yield (
            f"- Ranges: {calibration['images']} images of the {calibration['part']} part, "
            f"{_short(calibration['sha256'])}, listed in the manifest"
        )
    fitted = manifest.decision.fitted_on
    if fitted:
        yield (
            f"- Gate and decision: {fitted.get('images')} images{_of_groups(fitted)} of the "
            f"{fitted.get('part')} part, split {_short(fitted.get('split_sha256'))}"
        )


def _of_groups(fitted: Mapping[str, Any]) -> str:
    """Of how many lesions or patients the images are, where some have several."""
    groups = fitted.get("groups")
    return "" if groups in (None, fitted.get("images")) else f" of {groups} lesions or patients,"


def _decision(manifest: Manifest) -> Iterator[str]:
    decision = manifest.decision
    yield "## Decision"
    yield ""
    yield f"- Temperature {decision.temperature:.3f}, fitted on this very file."
    if decision.refer_below is not None:
        yield f"- Refers below a top probability of {decision.refer_below:.3f}."
    for name, point in manifest.metrics.get("operating_points", {}).items():
        yield f"- {_point(name, point)}"
    if decision.conformal_quantile is not None:
        yield (
            f"- Conformal sets: score up to {decision.conformal_quantile:.3f} for a coverage of "
            f"{decision.conformal_coverage}."
        )
    if decision.energy_threshold is not None:
        yield f"- Energy above {decision.energy_threshold:.3f} is unlike what was learnt."
    outcome = manifest.metrics.get("decision")
    if outcome:
        yield ""
        yield f"Of the validation images {_estimate(outcome['answered'])} get an answer;"
        yield f"{_estimate(outcome['right'])} of the answers are right."
        yield f"{_estimate(outcome['retaken'])} of the images would have to be taken again."
        yield ""
        yield "| class | images | answered right | missed (answered wrong) | referred | retaken |"
        yield "|---|---|---|---|---|---|"
        for name, one in outcome["per_class"].items():
            cells = [
                _estimate(one[key]) for key in ("answered_right", "missed", "referred", "retaken")
            ]
            yield f"| {name} | {one['images']} | {' | '.join(cells)} |"


def _capture(manifest: Manifest) -> Iterator[str]:
    rule = manifest.capture
    if rule is None:
        return
    yield "## Photos that have to be taken again"
    yield ""
    yield (
        f"Limits that together let at least {rule.kept} of {rule.images} validation images pass, "
        "measured on the square that the network gets:"
    )
    yield ""
    yield "| measure | at least | at most |"
    yield "|---|---|---|"
    for name, limit in rule.limits.items():
        low, high = (("" if side is None else f"{side:.3g}") for side in (limit.low, limit.high))
        yield f"| {name.replace('_', ' ')} | {low} | {high} |"
    if rule.appearance is not None:
        yield f"| distance from the learnt images | | {rule.appearance.limit:.3g} |"


def _point(name: str, point: Mapping[str, Any]) -> str:
    if point["threshold"] is None:
        return f"No threshold for {name}: {point['reason']}."
    return (
        f"Refers where {name} is not the answer but reaches {point['threshold']:.3f}: sensitivity "
        f"{_estimate(point['sensitivity'])}, specificity {_estimate(point['specificity'])}, "
        f"{_estimate(point['referred'])} of all images are referred for it."
    )


def _metrics(manifest: Manifest) -> Iterator[str]:
    yield f"## Measured on the {manifest.metrics.get('part', '')} part"
    yield ""
    columns = dict(_METRICS)
    if manifest.model.ordered:
        columns["quadratic_kappa"] = "quadratic kappa"
    yield f"| | {' | '.join(columns.values())} |"
    yield f"|---|{'---|' * len(columns)}"
    for role in ("teacher", "student", "artefact"):
        found = manifest.metrics.get(role)
        if found:
            yield f"| {role} | {' | '.join(_estimate(found[name]) for name in columns)} |"
    yield ""
    yield "ECE and AUROC of the artefact are with its temperature, the others' without one."


def _classes(manifest: Manifest) -> Iterator[str]:
    artefact = manifest.metrics.get("artefact") or {"per_class": {}}
    changes = _changes(manifest)
    yield "| class | images | sensitivity | specificity | lost | gained | drop | critical |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, one in artefact["per_class"].items():
        cells = [str(one["n"]), _estimate(one["sensitivity"]), _estimate(one["specificity"])]
        cells += _change(changes.get(name))
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""
    yield "Lost and gained: against the float student, on the same images."
    if manifest.lowering.tried is not None:  # else the bounds are those of an older edgekd
        yield f"In brackets: the upper {_BOUND} of the drop."


def _changes(manifest: Manifest) -> Mapping[str, ClassChange]:
    if manifest.lowering.engine is not None:
        return manifest.lowering.engine.gate.per_class
    taken = [rung for rung in manifest.lowering.rungs if rung.taken and rung.gate]
    return taken[0].gate.per_class if taken and taken[0].gate else {}


def _change(change: ClassChange | None) -> list[str]:
    if change is None:
        return ["", "", "", ""]
    high = "" if change.drop_high is None else f" (≤ {100 * change.drop_high:.1f})"
    drop = "" if change.drop is None else f"{100 * change.drop:+.1f} points{high}"
    critical = f"yes, limit {100 * change.limit:.1f}" if change.critical else ""
    return [str(change.lost), str(change.gained), drop, critical]


def _gate(manifest: Manifest) -> Iterator[str]:
    rungs = manifest.lowering.rungs
    yield "## The gate, against the float student"
    yield ""
    yield (
        "| precision | MB | balanced accuracy | drop (bound) | flips | ECE | largest logit change "
        "| verdict |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for rung in rungs:
        yield f"| {_rung_name(rung)} | {' | '.join(_rung_cells(rung))} |"
    limits = next((rung.gate.limits for rung in rungs if rung.gate), {})
    if limits:
        yield ""
        yield f"Limits: {', '.join(f'{name} {value:g}' for name, value in limits.items())}."
    yield from _errors(manifest)


def _errors(manifest: Manifest) -> Iterator[str]:
    """How often a file gets through that should not."""
    count = manifest.lowering.tried
    if count is None:
        return  # judged by the bounds of an older edgekd
    yield ""
    yield (
        f"Balanced accuracy and critical classes are held to the upper {_BOUND} of their "
        "drop, other limits to what was measured. A file whose true drop lies at a limit passes in "
        "about 5 % of cases at most. The bound on balanced accuracy takes what was not seen as "
        "spread over the classes: what a class of few images alone may hide, its own bound tells."
    )
    yield ""
    if count < 2:
        yield "The first file of the ladder was taken: one verdict was read."
    else:
        yield (
            f"Files were judged in the order of the ladder until one was taken: {count} verdicts "
            f"were read. Each was a chance of its own: of {count} files that lose what a limit "
            f"allows, one passes in up to {count} times 5 %."
        )


def _rung_name(rung: Rung) -> str:
    return (
        f"{rung.precision} ({len(rung.float_layers)} float)"
        if rung.float_layers
        else rung.precision
    )


def _rung_cells(rung: Rung) -> list[str]:
    gate = rung.gate
    if gate is None:
        return ["", "", "", "", "", "", f"failed: {rung.failure}"]
    high = gate.balanced_accuracy_drop_high
    verdict = "taken" if rung.taken else "; ".join(gate.reasons) or "passed"
    return [
        f"{rung.size_bytes / 1e6:.2f}",
        f"{gate.balanced_accuracy:.3f}",
        f"{gate.balanced_accuracy_drop:+.3f}" + ("" if high is None else f" ({high:.3f})"),
        f"{gate.flips:.1%}",
        "" if gate.ece is None else f"{gate.ece:.3f}",
        f"{gate.max_logit_difference:.3g}",
        "; ".join([verdict, *rung.remarks]),
    ]


def _engine(manifest: Manifest) -> Iterator[str]:
    lowering = manifest.lowering
    if lowering.engine is None and lowering.completion == "complete":
        return
    yield "## The engine"
    yield ""
    engine = lowering.engine
    if engine is None:
        yield f"- Built on the device: `{lowering.completion_command}`."
        yield "- It is judged there by the images of the `.evidence.npz` that was written beside"
        yield "  this bundle. They are patients' images: delete that file when the engine is built."
        return
    gate = engine.gate
    yield f"- Built in {engine.seconds:.0f} s for {_listed(engine.built_for)}."
    yield (
        f"- Passed the gate itself, on {gate.images} images: balanced accuracy "
        f"{gate.balanced_accuracy:.3f}, drop {gate.balanced_accuracy_drop:+.3f}, flips "
        f"{gate.flips:.1%}, largest logit change {gate.max_logit_difference:.3g}."
    )
    yield f"- {engine.latency_ms:.2f} ms an image there (median)."


def _harm(manifest: Manifest) -> Iterator[str]:
    harm = manifest.lowering.layer_sensitivity
    if not harm:
        return
    yield "## Layers that int8 harms most"
    yield ""
    yield "| layer | KL divergence | flips |"
    yield "|---|---|---|"
    for one in harm[:_HARM_ROWS]:
        yield f"| {one.layer} | {one.divergence:.3g} | {one.flips} |"


def _caveats(manifest: Manifest) -> Iterator[str]:
    yield "## Caveats"
    yield ""
    yield f"- {manifest.limits}"
    yield f"- {_independence(manifest)}"
    if manifest.lowering.engine is None:
        yield (
            "- The gate saw this host's engine; the self-test tells whether another machine agrees."
        )


def _independence(manifest: Manifest) -> str:
    fitted = manifest.decision.fitted_on
    if "groups" not in fitted:  # a bundle of an older edgekd
        return (
            "Images are taken as independent: where one lesion has several, intervals are too "
            "narrow."
        )
    if fitted["groups"] == fitted.get("images"):
        return (
            "Every image stands alone in the data set: where one lesion or patient has several, "
            "intervals are too narrow."
        )
    return (
        "Intervals and bounds of metrics take lesions or patients as independent, as the data set "
        "names them, not their images; shares of the decision take images so."
    )


def _estimate(estimate: Mapping[str, Any]) -> str:
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    if value is None:
        return "not measured"
    return f"{value:.3f}" if low is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _short(text: str | None) -> str:
    return "unknown" if not text else text[:12]
