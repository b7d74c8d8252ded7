"""Writing a finished training: the checkpoint, its split, its history and its metrics."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edgekd.data import write_split
from edgekd.distill.comparison.label_bits import KEY, LabelBits, label_bits_of
from edgekd.distill.runs.pinned_precision import PRECISION
from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.teachers.group import Teachers
from edgekd.distill.training.fit import StageOutcome
from edgekd.distill.training.history import history_csv
from edgekd.distill.training.precision import PrecisionChoice
from edgekd.files import pretty_json, write_atomically
from edgekd.metrics import Estimate, Metrics
from edgekd.metrics.task import metrics_task
from edgekd.models import (
    BuiltNetwork,
    DataCard,
    FinishCard,
    ModelCard,
    NormalisedNetwork,
    TrainingCard,
    count_macs,
    count_params,
    logits_of,
    save_checkpoint,
)
from edgekd.models.card import CARD, METRICS, SPLIT, WEIGHTS
from edgekd.policy import load_policy
from edgekd.recipe import ModelSection, Recipe, fingerprint
from edgekd.runtime.preprocess import RULE
from edgekd.seals import clear_place, seal_files, unseal_files

__all__ = ["EVALUATED", "FILES", "HISTORY", "RECIPE", "Role", "Trained", "write_run"]

HISTORY = "history.csv"
RECIPE = "recipe.json"
FILES = (CARD, WEIGHTS, SPLIT, HISTORY, METRICS, RECIPE, PRECISION)
"""Files of a run, beside its stages."""

VALIDATION = "validation"
EVALUATED = (VALIDATION, "test")
"""Parts that a finished network is evaluated on."""

Role = Literal["teacher", "student"]


@dataclass(frozen=True)
class Trained:
    """A network after its last stage, and everything that its checkpoint records.

    Attributes:
        recipe: The whole recipe.
        samples: The images and their parts.
        role: Its role in the recipe.
        model: The recipe's section of its network.
        built: The network, with the weights of its best epoch.
        method: Name of the method.
        options: The method's options as resolved.
        outcome: History and best epoch.
        teacher: The teachers, or None.
        teaching: How the teachers' outputs were computed.
        key: Hash of what the weights depend on.
        precision: The precision of the run, and why.
        subclasses: Subclasses of each class; empty unless the network predicts subclasses.
        evaluated: Parts that the network is evaluated on.
        finish: Record of the stage that finished it for int8, or None.
    """

    recipe: Recipe
    samples: RunSamples
    role: Role
    model: ModelSection
    built: BuiltNetwork
    method: str
    options: dict[str, Any]
    outcome: StageOutcome
    teacher: Teachers | None
    teaching: dict[str, Any]
    key: str
    precision: PrecisionChoice
    subclasses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    evaluated: tuple[str, ...] = EVALUATED
    finish: FinishCard | None = None


def write_run(trained: Trained, out: Path, say: Callable[[str], None]) -> ModelCard:
    """Evaluate the network and write it, the seal last: a sealed folder is whole."""
    metrics = _evaluate(trained)
    bits = _bits(trained)
    out.mkdir(parents=True, exist_ok=True)
    unseal_files(out)
    clear_place(out / CARD)  # without it a half-written run is not taken for the old one
    write_atomically(out / SPLIT, write_split(trained.samples.split))
    write_atomically(out / HISTORY, history_csv(trained.outcome.history))
    teachers, parts = trained.teacher, trained.evaluated
    teacher = teachers.metrics(trained.samples, parts) if teachers else None
    known = {**metrics, "teacher": teacher}
    write_atomically(out / METRICS, pretty_json(known | ({KEY: bits} if bits else {})))
    write_atomically(out / RECIPE, pretty_json(trained.recipe))
    write_atomically(out / PRECISION, pretty_json(trained.precision))
    card = save_checkpoint(out, trained.built.network, _card(trained))
    seal_files(out, FILES)
    name = metrics_task(trained.recipe.task).selection_metric
    if VALIDATION in metrics:  # figures of the test part are kept, and printed by no training
        score = _interval(_metric(metrics[VALIDATION], name))
        say(f"{card.role}: {VALIDATION} {name.replace('_', ' ')} {score}")
    if bits:
        say(f"{card.role}: {bits.text()}")
    return card


def _evaluate(trained: Trained) -> dict[str, Metrics]:
    built, samples = trained.built, trained.samples
    subclass_of = samples.subclass_of if trained.subclasses else ()
    network = NormalisedNetwork(built.network.cpu(), built.mean, built.std, subclass_of)
    task = metrics_task(trained.recipe.task)
    ordered = samples.split.dataset.ordered
    return {
        part: task.evaluate(
            logits_of(network, images),
            targets,
            samples.classes,
            ordered=ordered,
            groups=samples.groups(part),
        )
        for part in trained.evaluated
        for images, targets in [samples.part(part)]
        if len(targets)
    }


def _bits(trained: Trained) -> LabelBits | None:
    """Label bits for a student that was taught subclasses, else None."""
    if trained.teacher is None or not trained.subclasses:
        return None
    return label_bits_of(trained.teacher.network(), trained.samples, trained.options)


def _card(trained: Trained) -> ModelCard:
    built, model = trained.built, trained.model
    return ModelCard(
        task=trained.recipe.task,
        role=trained.role,
        arch=model.arch,
        arch_options=model.options,
        classes=trained.samples.classes,
        ordered=trained.samples.split.dataset.ordered,
        image_size=trained.recipe.image_size,
        mean=built.mean,
        std=built.std,
        resize=RULE,
        params=count_params(built.network),
        macs=count_macs(built.network.cpu(), trained.recipe.image_size),
        pretrained=model.pretrained,
        data=_data_card(trained.samples),
        training=_training_card(trained),
        subclasses=trained.subclasses,
        policy=load_policy(trained.recipe.policy).values(),
        head=None if trained.subclasses else trained.samples.task.outputs(trained.samples.classes),
    )


def _data_card(samples: RunSamples) -> DataCard:
    dataset = samples.split.dataset
    return DataCard(
        name=dataset.name,
        root=str(dataset.root),
        sha256=samples.split.sha256(),
        images=samples.split.counts(),
        licence=dataset.licence,
        citation=dataset.citation,
    )


def _training_card(trained: Trained) -> TrainingCard:
    return TrainingCard(
        method=trained.method,
        seed=trained.recipe.seed,
        recipe_sha256=fingerprint(trained.recipe),
        stage_sha256=trained.key,
        epochs=len(trained.outcome.history),
        best_epoch=trained.outcome.best_epoch,
        teacher=trained.teacher.sha256 if trained.teacher else None,
        teaching=trained.teaching,
        git_revision=_git_revision(),
        options=trained.options,
        finish=trained.finish,
        precision=trained.precision.precision,
        precision_reason=trained.precision.reason,
    )


def _metric(metrics: Metrics, name: str) -> Estimate:
    """A metric by the key of `Metrics`, or of its `measures`."""
    estimate: Estimate | None = getattr(metrics, name, None) or metrics.measures.get(name)
    return estimate or Estimate(value=None)


def _interval(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not measured"
    if estimate.low is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _git_revision() -> str | None:
    """Git revision of the checkout; None where edgekd runs as an installed package."""
    checkout = Path(__file__).resolve().parents[3]
    if not (checkout / ".git").exists():
        return None
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
