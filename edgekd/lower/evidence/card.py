"""`card.md`: the manifest as a text for people.

Sections after Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edgekd.bundle import Certificate, ClassChange, Manifest, Rung
from edgekd.bundle.manifest import SYNTHESISED
from edgekd.bundle.policy import words_of
from edgekd.lower.evidence.data_table import part_table
from edgekd.lower.evidence.enrolment import enrolment_lines
from edgekd.lower.task import evidence_task

__all__ = ["card_sections", "estimate_text", "write_card"]

_SENSITIVITY_ROWS = 10
_BOUND = "one-sided 95 % bound"
_METRICS = {
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "macro_auroc": "macro AUROC",
    "ece": "ECE",
}
_SHARES = {"missed": "missed (answered wrong)"}
"""Headings of shares of the decision; others are read from their key."""


def write_card(manifest: Manifest) -> str:
    """The model card of a bundle, as Markdown."""
    sections = ("\n".join(lines) for lines in card_sections(manifest).values())
    return "\n\n".join(sections) + "\n"


def card_sections(manifest: Manifest) -> dict[str, list[str]]:
    """The lines of each section that is not empty, with its heading, by its key."""
    sections = {
        "model": _model(manifest),
        "certificate": _certificate(manifest),
        "enrolment": _enrolment(manifest),
        "use": _use(manifest),
        "policy": _policy(manifest),
        "data": _data(manifest),
        "people": _people(manifest),
        "decision": _decision(manifest),
        "capture": _capture(manifest),
        "metrics": _metrics(manifest),
        "classes": _classes(manifest),
        "gate": _gate(manifest),
        "engine": _engine(manifest),
        "layers": _layer_sensitivity(manifest),
        "caveats": _caveats(manifest),
    }
    return {key: lines for key, section in sections.items() if (lines := list(section))}


def _model(manifest: Manifest) -> Iterator[str]:
    model, lowering, lineage = manifest.model, manifest.lowering, manifest.lineage
    yield f"# {model.name} for {lowering.target}"
    yield ""
    yield manifest.description + "."
    yield ""
    for warning in manifest.warnings:
        yield f"**{warning}**"
        yield ""
    yield f"- Classes: {', '.join(model.classes)}"
    yield f"- Input: {model.image_size} by {model.image_size} RGB, {model.resize}"
    if model.params is not None and model.macs is not None:
        size = f"{model.params / 1e6:.2f} M parameters, {model.macs / 1e6:.0f} M MAC an image"
        yield f"- Size: {size}"
    yield f"- File: {lowering.precision} by {lowering.backend}; {lowering.completion}"
    if lowering.program is not None:
        yield f"- {lowering.program.summary}"
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


def _certificate(manifest: Manifest) -> Iterator[str]:
    certificate = manifest.certificate
    if certificate is None:
        return
    yield "## Certificate"
    yield ""
    student = certificate.student
    if certificate.earlier is not None:
        yield from _certified_by_images(manifest, certificate)
    elif certificate.certified:
        yield (
            f"- Built from {student} without its images. Every model file has the SHA-256 of the "
            "one that was judged where the student was made: decision, gate, floors and metrics "
            "are those recorded of this very file."
        )
    else:
        enrolled = "Enrolled, not" if manifest.head is not None else "Not"
        yield f"- {enrolled} certified: {certificate.reason}."
        yield f"- {_origin(manifest, certificate)}. {_consequence(manifest)}"
        yield f"- To judge it on labelled images: `{certificate.remedy}`"
    yield f"- Images of the self-test: {certificate.selftest}."


def _origin(manifest: Manifest, certificate: Certificate) -> str:
    """How the bundle came about without a judgement."""
    if manifest.head is None:
        return f"Built from {certificate.student} without its images"
    return f"Taught its classes by `edgekd enrol`, on features of {certificate.student}"


def _consequence(manifest: Manifest) -> str:
    """What a user has to know of a bundle that was not judged."""
    if manifest.head is None:
        return (
            "Nothing was measured on this file; its decision was fitted to another one, or to none."
        )
    return (
        "No decision was fitted: it answers with the most probable of its classes, whatever a "
        "photo shows."
    )


def _enrolment(manifest: Manifest) -> Iterator[str]:
    if manifest.head is not None:
        yield from enrolment_lines(manifest.head, words_of(manifest.policy))


def _certified_by_images(manifest: Manifest, certificate: Certificate) -> Iterator[str]:
    yield (
        f"- {_origin(manifest, certificate)}, and judged since then by `edgekd "
        "certify` on labelled images: decision, gate, floors and metrics are those of this very "
        "file on them."
    )
    yield f"- The bundle that was judged: {_short(certificate.earlier)}"
    yield f"- The float student that it was compared with: {_short(certificate.reference_sha256)}"


def _use(manifest: Manifest) -> Iterator[str]:
    yield "## Intended use"
    yield ""
    yield manifest.intended_use


def _policy(manifest: Manifest) -> Iterator[str]:
    policy = manifest.policy
    if policy is None:  # a bundle of a format before 1.6
        return
    yield f"## Policy: {policy.title or policy.name}"
    yield ""
    limits = ", ".join(
        f"{name} {100 * limit:.3g} points" for name, limit in policy.critical.items()
    )
    yield f"- Policy {policy.name}, {_short(policy.sha256)}"
    yield f"- Critical classes, with what each may lose: {limits or 'none'}"
    for floor in policy.floors:
        yield f"- {'met' if floor.met else '**not met**'}: {floor.sentence}"
    if policy.teacher is not None:
        yield f"- Teacher: {policy.teacher.sentence}"
    if policy.floors:
        yield ""
        yield (
            "Floors are measured with this file's decision on the validation images. Of the "
            "share that is noticed the value counts, since the thresholds are fitted to it; of the "
            "other floors the lower end of the 95 % interval."
        )


def _data(manifest: Manifest) -> Iterator[str]:
    calibration = manifest.lowering.calibration
    yield "## Data"
    yield ""
    yield f"- {manifest.data_source}"
    yield f"- Licence of the data: {manifest.licences.get('data', 'unknown')}"
    yield f"- Licence of the weights: {manifest.licences.get('weights', 'unknown')}"
    if calibration and calibration["part"] == SYNTHESISED:
        yield (
            f"- Ranges: {calibration['images']} synthesised images, which no camera took, "
            f"{_short(calibration['sha256'])}, listed in the manifest"
        )
    elif calibration:
        yield (
            f"- Ranges: {calibration['images']} images of the {calibration['part']} part, "
            f"{_short(calibration['sha256'])}, listed in the manifest"
        )
    fitted_on = _fitted_on(manifest)
    if fitted_on:
        yield (
            f"- Gate and decision: {fitted_on.get('images')} images{_of_groups(manifest)} of the "
            f"{fitted_on.get('part')} part, split {_short(fitted_on.get('split_sha256'))}"
        )


def _people(manifest: Manifest) -> Iterator[str]:
    if manifest.data is None:  # a bundle of a format before 1.8
        return
    yield "## Images of each part"
    yield ""
    words, attributes = words_of(manifest.policy), manifest.data.attributes
    yield from part_table(manifest.data, words, counts=True, attributes=attributes)


def _fitted_on(manifest: Manifest) -> Mapping[str, Any]:
    """The images of the fit; a task's decision may not name them."""
    fitted_on: Mapping[str, Any] = getattr(manifest.decision, "fitted_on", {})
    return fitted_on


def _of_groups(manifest: Manifest) -> str:
    """Number of groups that the images are of, where some have several."""
    fitted_on = _fitted_on(manifest)
    groups = fitted_on.get("groups")
    if groups in (None, fitted_on.get("images")):
        return ""
    return f" of {groups} {words_of(manifest.policy).groups},"


def _decision(manifest: Manifest) -> Iterator[str]:
    yield "## Decision"
    yield ""
    if manifest.head is not None and not _fitted_on(manifest):
        yield "- None was fitted: the most probable class is the answer, and nothing is referred."
        return
    points = manifest.metrics.get("operating_points", {})
    for line in evidence_task(manifest.task).decision_lines(manifest.decision, points):
        yield f"- {line}"
    outcome = manifest.metrics.get("decision")
    if outcome:
        yield ""
        yield f"Of the validation images {estimate_text(outcome['answered'])} get an answer;"
        yield f"{estimate_text(outcome['right'])} of the answers are right."
        yield f"{estimate_text(outcome['retaken'])} of the images would have to be taken again."
        yield from _outcome_by_class(manifest, outcome["per_class"])


def _outcome_by_class(manifest: Manifest, per_class: Mapping[str, Any]) -> Iterator[str]:
    if not per_class:
        return
    keys = [key for key in next(iter(per_class.values())) if key != "images"]
    yield ""
    heads = (_SHARES.get(key, key.replace("_", " ")) for key in keys)
    yield f"| class | images | {' | '.join(heads)} |"
    yield f"|---|---|{'---|' * len(keys)}"
    for name in words_of(manifest.policy).ordered(tuple(per_class)):
        shares = per_class[name]
        cells = [estimate_text(shares[key]) for key in keys]
        yield f"| {name} | {shares['images']} | {' | '.join(cells)} |"


def _capture(manifest: Manifest) -> Iterator[str]:
    rule = manifest.capture
    if rule is None:
        return
    yield "## Photos that have to be taken again"
    yield ""
    yield (
        f"Limits that together let at least {rule.coverage} of {rule.images} validation images "
        "pass, measured on the square that the network gets:"
    )
    yield ""
    yield "| measure | at least | at most |"
    yield "|---|---|---|"
    for name, limit in rule.limits.items():
        low, high = (("" if side is None else f"{side:.3g}") for side in (limit.low, limit.high))
        yield f"| {name.replace('_', ' ')} | {low} | {high} |"
    if rule.appearance is not None:
        yield f"| distance from the learnt images | | {rule.appearance.limit:.3g} |"


def _metrics(manifest: Manifest) -> Iterator[str]:
    roles = ("teacher", "student", "artefact")
    metrics = {role: manifest.metrics[role] for role in roles if manifest.metrics.get(role)}
    columns = _metric_columns(manifest, list(metrics.values()))
    yield f"## Measured on the {manifest.metrics.get('part', '')} part"
    yield ""
    yield f"| | {' | '.join(columns.values())} |"
    yield f"|---|{'---|' * len(columns)}"
    for role, values in metrics.items():
        every = {**(values.get("measures") or {}), **values}
        yield f"| {role} | {' | '.join(estimate_text(every.get(name)) for name in columns)} |"
    if {"ece", "macro_auroc"} & set(columns):
        yield ""
        yield "ECE and AUROC of the artefact are with its temperature, the others' without one."


def _metric_columns(manifest: Manifest, metrics: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Headings by key of the metrics that a task has."""
    columns = dict(_METRICS)
    if manifest.model.ordered:
        columns["quadratic_kappa"] = "quadratic kappa"
    for values in metrics:
        columns |= {name: name.replace("_", " ") for name in values.get("measures") or {}}
    absent = {key for key in columns if all(_is_absent(values, key) for values in metrics)}
    return {key: head for key, head in columns.items() if not metrics or key not in absent}


def _is_absent(values: Mapping[str, Any], key: str) -> bool:
    return values.get(key) is None and key not in (values.get("measures") or {})


def _classes(manifest: Manifest) -> Iterator[str]:
    per_class = (manifest.metrics.get("artefact") or {}).get("per_class") or {}
    if not per_class:
        return
    changes = _changes(manifest)
    yield "| class | images | sensitivity | specificity | lost | gained | drop | critical |"
    yield "|---|---|---|---|---|---|---|---|"
    for name in words_of(manifest.policy).ordered(tuple(per_class)):
        metrics = per_class[name]
        cells = [str(metrics["n"]), estimate_text(metrics["sensitivity"])]
        cells += [estimate_text(metrics["specificity"]), *_change(changes.get(name))]
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""
    yield "Lost and gained: against the float student, on the same images."
    if manifest.lowering.tried is not None:  # else the bounds are those of an older edgekd
        yield f"In brackets: the upper {_BOUND} of the drop."


def _changes(manifest: Manifest) -> Mapping[str, ClassChange]:
    if manifest.lowering.engine is not None:
        return manifest.lowering.engine.gate.per_class
    taken = [rung for rung in manifest.lowering.rungs if rung.chosen and rung.gate]
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
        return ["", "", "", "", "", "", f"{'' if rung.chosen else 'failed: '}{rung.failure}"]
    high = gate.balanced_accuracy_drop_high
    verdict = "taken" if rung.chosen else "; ".join(gate.reasons) or "passed"
    measures = [f"{name.replace('_', ' ')} {value:.3g}" for name, value in gate.measures.items()]
    return [
        f"{rung.size_bytes / 1e6:.2f}",
        _formatted(gate.balanced_accuracy, ".3f"),
        _formatted(gate.balanced_accuracy_drop, "+.3f")
        + ("" if high is None else f" ({high:.3f})"),
        f"{gate.flips:.1%}",
        "" if gate.ece is None else f"{gate.ece:.3f}",
        f"{gate.max_logit_difference:.3g}",
        "; ".join([verdict, *measures, *rung.notes]),
    ]


def _formatted(value: float | None, form: str) -> str:
    """A number that the task may lack."""
    return "" if value is None else format(value, form)


def _engine(manifest: Manifest) -> Iterator[str]:
    lowering = manifest.lowering
    if lowering.engine is None and lowering.completion == "complete":
        return
    yield "## The engine"
    yield ""
    engine = lowering.engine
    if engine is None:
        yield f"- Built on the device: `{lowering.completion_command}`."
        if lowering.evidence_sha256 is None and manifest.certificate is not None:
            yield "- It is judged there on labelled images, which this bundle was built without."
            yield "  `edgekd certify` or `edgekd build --data` leaves them beside one that can be"
            yield "  finished."
            return
        yield "- It is judged there by the images of the `.evidence.npz` that was written beside"
        yield "  this bundle. They are patients' images: delete that file when the engine is built."
        return
    gate = engine.gate
    via = "" if engine.via == "onnx-parser" else f" via {engine.via}"
    yield f"- Built{via} in {engine.seconds:.0f} s for {_listed(engine.built_for)}."
    balanced = ""
    if gate.balanced_accuracy is not None and gate.balanced_accuracy_drop is not None:
        drop = f"{gate.balanced_accuracy_drop:+.3f}"
        balanced = f"balanced accuracy {gate.balanced_accuracy:.3f}, drop {drop}, "
    yield (
        f"- Passed the gate itself, on {gate.images} images: {balanced}flips "
        f"{gate.flips:.1%}, largest logit change {gate.max_logit_difference:.3g}."
    )
    yield f"- {engine.latency_ms:.2f} ms an image there (median)."


def _layer_sensitivity(manifest: Manifest) -> Iterator[str]:
    layers = manifest.lowering.layer_sensitivity
    if not layers:
        return
    yield "## Layers most sensitive to int8"
    yield ""
    yield "| layer | KL divergence | flips |"
    yield "|---|---|---|"
    for layer in layers[:_SENSITIVITY_ROWS]:
        yield f"| {layer.layer} | {layer.divergence:.3g} | {layer.flips} |"


def _caveats(manifest: Manifest) -> Iterator[str]:
    yield "## Caveats"
    yield ""
    yield f"- {manifest.limits}"
    yield f"- {_independence(manifest)}"
    if manifest.lowering.engine is None:
        host = _judging_host(manifest.certificate)
        yield (
            f"- The gate saw the engine of {host}; the self-test tells whether another machine "
            "agrees."
        )


def _independence(manifest: Manifest) -> str:
    fitted_on, words = _fitted_on(manifest), words_of(manifest.policy)
    if "groups" not in fitted_on:  # a bundle of an older edgekd
        return (
            f"Images are taken as independent: where one {words.group} has several, intervals are "
            "too narrow."
        )
    if fitted_on["groups"] == fitted_on.get("images"):
        return (
            f"Every image stands alone in the data set: where one {words.group} has several, "
            "intervals are too narrow."
        )
    return (
        f"Intervals and bounds of metrics and floors take {words.groups} as independent, as the "
        "data set names them, not their images; shares of the decision take images so."
    )


def estimate_text(estimate: Mapping[str, Any] | float | None) -> str:
    """A value with its interval, of an `Estimate` as plain values, or alone; empty for None."""
    if estimate is None:
        return ""
    if isinstance(estimate, int | float):
        return f"{estimate:.3f}"
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    if value is None:
        return "not measured"
    return f"{value:.3f}" if low is None else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _judging_host(certificate: Certificate | None) -> str:
    """The machine whose engine the gate saw, in words."""
    if certificate is None:
        return "this host"
    if certificate.earlier is not None:
        return "the machine that certified it"
    return "the host that made the student"


def _short(text: str | None) -> str:
    return "unknown" if not text else text[:12]
