"""Validations of scripted answers: everything but the engines is the real thing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekd.bench.measure.job import ImageAnswer
from edgekd.bench.result import DataFacts, DeviceFacts, Flag, PolicyFacts, Result, ResultRow
from edgekd.bench.run.answers import Answered
from edgekd.bench.run.evaluate import Evaluation
from edgekd.bench.subjects.data import BenchData
from edgekd.bundle.task import manifest_task
from edgekd.evaluation.answers import ModelAnswers, model_answers
from edgekd.evaluation.leaks import Leaks
from edgekd.evaluation.subgroups import AttributeRequest, attribute_of
from edgekd.evaluation.table import ValidationData
from edgekd.evaluation.validation import ExternalValidation, ValidationRequest, put_together
from edgekd.metrics.task import metrics_task
from edgekd.tasks.classification.manifest import Decision

CLASSES = ("mel", "nv", "bkl")
TASK = "classification"
NOT_TIMED = Flag("latency-not-measured", "`edgekd eval` measures accuracy alone")
POLICY = PolicyFacts(name="dermoscopy", sha256="0", critical=["mel"], first=["mel"])


def data_of(
    labels: Sequence[str],
    *,
    classes: tuple[str, ...] = CLASSES,
    groups: Sequence[str] | None = None,
    task: str = TASK,
    folder: Path = Path("images"),
    **columns: Sequence[str],
) -> ValidationData:
    """Images that need not exist, with these labels and columns."""
    images = [(folder / f"{n:04}.jpg", label) for n, label in enumerate(labels)]
    attributes = tuple(
        attribute_of(AttributeRequest(name), cells) for name, cells in columns.items()
    )
    bench = BenchData("table", "csv", classes, images, groups=groups, task=task)
    return ValidationData(bench, attributes, tuple(labels), {})


def answered(
    data: ValidationData,
    answers: Sequence[str],
    verdicts: Sequence[str] | None = None,
    *,
    name: str = "rpi int8",
    decision: Any = None,
    sharpness: float = 3.0,
    seed: int = 0,
) -> Answered:
    """A model that gives these answers; without verdicts it is a checkpoint."""
    bench, generator = data.bench, np.random.default_rng(seed)
    places = [bench.classes.index(answer) for answer in answers]
    outputs = generator.random((len(places), len(bench.classes))).astype(np.float32)
    outputs[np.arange(len(places)), places] += sharpness
    if decision is None and verdicts is not None:
        decision = manifest_task(bench.task).Decision(temperature=1.5)
    calibrated = outputs / decision.temperature if decision else outputs
    images = [
        ImageAnswer(
            outputs=[],
            label=answer,
            decision=verdict,
            reasons=[] if verdict == "answer" else ["unsure" if verdict == "refer" else "blurred"],
        )
        for answer, verdict in zip(answers, verdicts or (), strict=verdicts is not None)
    ]
    metrics = metrics_task(bench.task).evaluate(
        calibrated, bench.targets, bench.classes, groups=bench.groups
    )
    row = ResultRow(
        name=name, role="artefact" if decision else "student", sha256=name, metrics=metrics,
        policy=POLICY, target="rpi" if decision else None, flags=[NOT_TIMED],
    )  # fmt: skip
    return Answered(row, Path(name), outputs, calibrated, images=images, decision=decision)


def answers_of(data: ValidationData, *arguments: Any, **options: Any) -> ModelAnswers:
    """The answers of one such model."""
    model = answered(data, *arguments, **options)
    return model_answers(model, model.row, data)


def validation_of(
    data: ValidationData,
    *models: Answered,
    prevalence: dict[str, float] | None = None,
    leaks: Sequence[Leaks] | None = None,
) -> ExternalValidation:
    """The validation of such models."""
    bench = data.bench
    facts = DataFacts(
        name=bench.name,
        split=bench.split,
        n=len(bench.images),
        sha256="0" * 64,
        classes=list(bench.classes),
        groups=None if bench.groups is None else len(set(bench.groups)),
    )
    result = Result(
        created="2026-01-01T00:00:00+00:00",
        command="edgekd eval",
        device=DeviceFacts(name="host", kind="local"),
        data=facts,
        rows=[model.row for model in models],
        task=bench.task,
        policy=POLICY,
    )
    request = ValidationRequest([model.path for model in models], "", prevalence or {})
    found = leaks if leaks is not None else [Leaks(model.path, {}) for model in models]
    return put_together(request, data, Evaluation(result, bench, models), found)


def mixed(images: int = 240, seed: int = 3) -> ExternalValidation:
    """Two bundles and a checkpoint on images with sex, age and site; women's answers are worse."""
    generator = np.random.default_rng(seed)
    labels = [CLASSES[n % 3] for n in range(images)]
    sex = [("female", "male")[n // 3 % 2] for n in range(images)]
    age = [str(value) if value % 9 else "" for value in generator.integers(20, 90, images)]
    site = [("back", "face", "unknown")[value] for value in generator.integers(0, 3, images)]
    groups = [f"lesion {n // 2}" for n in range(images)]
    data = data_of(labels, groups=groups, sex=sex, age=age, site=site)

    def spoilt(rate: float) -> list[str]:
        rates = [4.5 * rate if each == "female" else rate for each in sex]
        return [
            str(generator.choice(CLASSES)) if generator.random() < rate else label
            for label, rate in zip(labels, rates, strict=True)
        ]

    verdicts = generator.choice(["answer", "refer", "retake"], images, p=[0.8, 0.15, 0.05]).tolist()
    decision = Decision(temperature=1.5, thresholds={"mel": 0.2}, refer_below=0.6)
    return validation_of(
        data,
        answered(data, spoilt(0.2), verdicts, name="rpi int8", decision=decision),
        answered(data, spoilt(0.3), verdicts[::-1], name="jetson fp16", decision=decision, seed=1),
        answered(data, spoilt(0.1), name="student resnet", seed=2),
        prevalence={"mel": 0.02},
    )
