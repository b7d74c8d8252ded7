"""`card.md` of a shipped student, for people.

Sections after Mitchell et al. 2019, "Model Cards for Model Reporting".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgekd.bundle import Manifest
from edgekd.lower.evidence.card import estimate_text
from edgekd.models import ModelCard
from edgekd.models.card import WEIGHTS, read_metrics
from edgekd.policy import policy_of_values

__all__ = ["student_card"]

_METRICS = ("balanced_accuracy", "accuracy", "macro_auroc", "ece", "quadratic_kappa")
_PARTS = ("validation", "test")


def student_card(
    name: str, folder: Path, card: ModelCard, certificates: Mapping[str, Manifest]
) -> str:
    """The card as Markdown.

    Args:
        name: Name of the student.
        folder: Its folder, with weights and metrics.
        card: Card of the checkpoint.
        certificates: Manifests of its certified files.
    """
    metrics = read_metrics(folder)
    sections = (
        _model(name, folder, card),
        _use(name),
        _licence(card),
        _data(card),
        _training(card),
        _metrics(metrics),
        _classes(card, metrics),
        _files(card, certificates),
        _limits(card, certificates),
    )
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"


def _model(name: str, folder: Path, card: ModelCard) -> Iterator[str]:
    size = (folder / WEIGHTS).stat().st_size / 1e6
    yield f"# {name}"
    yield ""
    yield f"- Network: {card.arch}, {card.params / 1e6:.2f} M parameters, {card.macs / 1e6:.0f} M"
    yield f"  MAC an image; {size:.1f} MB of weights, {_precision(folder)}"
    yield f"- Classes: {', '.join(card.classes)}"
    yield f"- Input: {card.image_size} by {card.image_size} RGB, {card.resize}"


def _precision(folder: Path) -> str:
    """The types that the weights are stored in, from the head of their file."""
    import msgspec

    with (folder / WEIGHTS).open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        head = msgspec.json.decode(stream.read(length))
    types = {entry["dtype"] for key, entry in head.items() if key != "__metadata__"}
    if "F16" in types:
        return "stored as float16 (vectors as float32); the student is what these compute"
    return "stored as float32"


def _use(name: str) -> Iterator[str]:
    yield "## Use"
    yield ""
    yield f"    edgekd build --target all --model {name} --out bundles"
    yield f"    edgekd eval {name} --csv labels.csv"
    yield ""
    yield "For research, demonstrations, and as a start for students of your own. It is not a"
    yield "medical device, and no diagnosis may rest on it."


def _licence(card: ModelCard) -> Iterator[str]:
    data = card.data
    yield "## Licence"
    yield ""
    yield f"- Weights: as the data that they were trained on, {data.licence or 'licence unknown'}"
    yield f"  (start of the training: {card.pretrained}). edgekd's own licence is that of its code."
    if data.citation:
        yield f"- Cite: {data.citation}"


def _data(card: ModelCard) -> Iterator[str]:
    yield "## Data"
    yield ""
    parts = ", ".join(f"{number} {part}" for part, number in card.data.images.items())
    yield f"- {card.data.name}: {parts} images, listed in `split.csv`; none of them ships"
    yield f"- Split {card.data.sha256[:12]}"


def _training(card: ModelCard) -> Iterator[str]:
    training = card.training
    yield "## Training"
    yield ""
    yield f"- Method {training.method}, seed {training.seed}, {training.epochs} epochs, weights of"
    yield f"  epoch {training.best_epoch}"
    options = ", ".join(f"{key} {value}" for key, value in training.options.items())
    if options:
        yield f"- Options: {options}"
    members = len(training.teaching.get("members", ()))
    teacher = training.teacher and training.teacher[:12]
    if teacher:
        yield f"- Teacher{f's ({members})' if members > 1 else ''}: {teacher}"
    if training.finish is not None:
        yield f"- Finished in simulated {training.finish.quantisation}"
    yield f"- Recipe {training.recipe_sha256[:12]}, revision {(training.git_revision or '?')[:12]}"


def _metrics(metrics: Mapping[str, Any]) -> Iterator[str]:
    yield "## The float student, without a decision"
    yield ""
    rows = {
        **{part: metrics.get(part) for part in _PARTS},
        **{f"teacher, {part}": (metrics.get("teacher") or {}).get(part) for part in _PARTS},
    }
    known = [name for name in _METRICS if any((row or {}).get(name) for row in rows.values())]
    yield f"| part | {' | '.join(name.replace('_', ' ') for name in known)} |"
    yield f"|---|{'---|' * len(known)}"
    for part, row in rows.items():
        if row:
            yield f"| {part} | {' | '.join(estimate_text(row.get(name)) for name in known)} |"
    yield ""
    yield "With 95 % intervals. The validation part scored the epochs and fitted the decisions."


def _classes(card: ModelCard, metrics: Mapping[str, Any]) -> Iterator[str]:
    part = next((part for part in reversed(_PARTS) if metrics.get(part)), None)
    per_class = (metrics.get(part) or {}).get("per_class") if part else None
    if not per_class:
        return
    yield f"| class | {part} images | sensitivity | specificity |"
    yield "|---|---|---|---|"
    words = policy_of_values(card.policy).words
    for name in words.ordered(tuple(per_class)):
        row = per_class[name]
        cells = (estimate_text(row[key]) for key in ("sensitivity", "specificity"))
        yield f"| {name} | {row['n']} | {' | '.join(cells)} |"


def _files(card: ModelCard, certificates: Mapping[str, Manifest]) -> Iterator[str]:
    policy = policy_of_values(card.policy)
    yield f"## Certified files, by the policy {policy.name}"
    yield ""
    yield "| bundle | precision | MB | balanced accuracy | flips | answered | SHA-256 |"
    yield "|---|---|---|---|---|---|---|"
    for name, manifest in certificates.items():
        yield f"| {name} | {' | '.join(_file_cells(manifest))} |"
    yield ""
    yield "On the validation part, by each file's own engine, or the host's where only the device"
    yield "builds it. A file that `edgekd build` makes with the same SHA-256 leaves with this"
    yield "evidence; any other one is not certified: `edgekd build --data` judges it on labelled"
    yield "images."
    yield ""
    floors = next(iter(certificates.values())).policy if certificates else None
    for floor in floors.floors if floors else ():
        yield f"- {floor.sentence}"


def _file_cells(manifest: Manifest) -> Iterator[str]:
    rung = next((rung for rung in manifest.lowering.rungs if rung.chosen), None)
    gate = rung.gate if rung else None
    entry = manifest.files[manifest.model_file]
    yield manifest.lowering.precision
    yield f"{sum(each.size for each in manifest.files.values()) / 1e6:.2f}"
    yield estimate_text((manifest.metrics.get("artefact") or {}).get("balanced_accuracy"))
    yield "" if gate is None else f"{gate.flips:.1%}"
    yield estimate_text((manifest.metrics.get("decision") or {}).get("answered"))
    yield entry.sha256[:12]


def _limits(card: ModelCard, certificates: Mapping[str, Manifest]) -> Iterator[str]:
    yield "## Limits"
    yield ""
    for limits in dict.fromkeys(manifest.limits for manifest in certificates.values()):
        yield f"- {limits}"
    yield f"- It knows {len(card.classes)} classes, and gives one of them for whatever it sees."
    yield "- All was measured on one data set; before any other use it has to be measured there."
