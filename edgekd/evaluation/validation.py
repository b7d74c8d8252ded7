"""External validation: read the table, look for leaks, run the models, and put it together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgekd.bench.run.evaluate import Evaluation, evaluate, model_facts
from edgekd.bench.run.progress import Step
from edgekd.errors import InputError
from edgekd.evaluation.answers import ModelAnswers, has_classes, model_answers
from edgekd.evaluation.comparison import paired_differences
from edgekd.evaluation.document import (
    LabelFacts,
    LeakFacts,
    ModelValidation,
    Renamed,
    ValidatedResult,
    Validation,
)
from edgekd.evaluation.gaps import attribute_shares, gaps_of
from edgekd.evaluation.leaks import Leaks, find_leaks, refuse_leaks
from edgekd.evaluation.outcomes import (
    answered_classes,
    class_outcomes,
    class_values,
    confusion_of,
    outcome_of_all,
)
from edgekd.evaluation.table import ValidationData
from edgekd.policy import DEFAULT_POLICY

__all__ = [
    "ExternalValidation",
    "ValidationRequest",
    "common_facts",
    "prevalences",
    "put_together",
    "validate",
]

_SHOWN_LEAKS = 20


@dataclass(frozen=True)
class ValidationRequest:
    """What to measure.

    Attributes:
        models: Bundles and checkpoints' folders.
        command: The command line, for the report.
        prevalence: Share of images that show a class where the device will be used, by class.
        policy: Policy of models that record none, by name or file.
        allow_leaks: Go on where images were used to make a model.
    """

    models: Sequence[Path]
    command: str
    prevalence: Mapping[str, float] = field(default_factory=dict)
    policy: str = DEFAULT_POLICY
    allow_leaks: bool = False


@dataclass(frozen=True)
class ExternalValidation:
    """The models on the images.

    Attributes:
        result: The document.
        data: The images.
        answers: The answers of each model; empty for a task without classes or findings.
        evaluation: Outputs and metrics of the models.
    """

    result: ValidatedResult
    data: ValidationData
    answers: tuple[ModelAnswers, ...]
    evaluation: Evaluation


def prevalences(texts: Sequence[str], classes: Sequence[str]) -> dict[str, float]:
    """Prevalence by class, from texts like `mel=0.02`.

    Raises:
        InputError: A text is no such pair, or names no class of the model.
    """
    known = {}
    for text in texts:
        name, _, number = (part.strip() for part in text.rpartition("="))
        if name not in classes:
            message = f"--prevalence {text} names no class of the model"
            raise InputError(message, f"write CLASS=SHARE; classes are: {', '.join(classes)}")
        known[name] = _share(text, number)
    return known


def _share(text: str, number: str) -> float:
    try:
        share = float(number)
    except ValueError:
        share = 0.0
    if not 0.0 < share < 1.0:
        message = f"--prevalence {text} is no share of patients"
        raise InputError(message, "give a number above 0 and below 1, as in mel=0.02")
    return share


def common_facts(models: Sequence[Path]) -> tuple[str, tuple[str, ...], bool]:
    """Task, classes and whether these are grades, of the first model; others are held to it."""
    facts = [model_facts(model) for model in models]
    first = facts[0]
    for model, each in zip(models, facts, strict=True):
        if (each.task, each.classes) != (first.task, first.classes):
            message = (
                f"{model} knows {', '.join(each.classes)}, {models[0]} knows "
                f"{', '.join(first.classes)}"
            )
            raise InputError(message, "compare models of the same task and classes")
    return first.task, first.classes, first.ordered


def validate(
    request: ValidationRequest, data: ValidationData, *, step: Step = lambda count: None
) -> ExternalValidation:
    """Run every model on every image and compare them.

    Args:
        request: What to measure.
        data: The images.
        step: Progress in images, of all models together.

    Raises:
        InputError: Images were used to make a model, its task or classes are not the data's, or
            something is requested that needs classes and the task has none.
        ArtefactError: A model is damaged.
        MissingDependencyError: An engine is not installed.
    """
    leaks = find_leaks(request.models, data.bench.paths)
    if not request.allow_leaks:
        refuse_leaks(leaks, data.bench.names)
    evaluation = evaluate(
        request.models, data.bench, command=request.command, policy=request.policy, step=step
    )
    return put_together(request, data, evaluation, leaks)


def put_together(
    request: ValidationRequest,
    data: ValidationData,
    evaluation: Evaluation,
    leaks: Sequence[Leaks],
) -> ExternalValidation:
    """The validation, from what the models answered.

    Args:
        request: What to measure.
        data: The images.
        evaluation: Outputs, decisions and metrics of each model.
        leaks: Images that each model was made with.

    Raises:
        InputError: Something is requested that needs classes, and the task has none.
    """
    answers = _answers(request, evaluation, data)
    section = _section(request, evaluation, data, answers, leaks) if answers else None
    result = evaluation.result
    fields = {name: getattr(result, name) for name in result.__struct_fields__}
    document = ValidatedResult(**fields, validation=section)
    return ExternalValidation(document, data, answers, evaluation)


def _answers(
    request: ValidationRequest, evaluation: Evaluation, data: ValidationData
) -> tuple[ModelAnswers, ...]:
    if not has_classes(evaluation.answers[0], data):
        if request.prevalence or data.attributes:
            message = f"models of the task {data.bench.task} have no classes to report on"
            raise InputError(message, "leave --by and --prevalence out")
        return ()
    pairs = zip(evaluation.answers, evaluation.result.rows, strict=True)
    return tuple(model_answers(each, row, data) for each, row in pairs)


def _section(
    request: ValidationRequest,
    evaluation: Evaluation,
    data: ValidationData,
    answers: Sequence[ModelAnswers],
    leaks: Sequence[Leaks],
) -> Validation:
    outputs: list[Any] = [each.calibrated for each in evaluation.answers]
    pairs = zip(answers, leaks, strict=True)
    return Validation(
        labels=LabelFacts(
            renamed={
                text: Renamed(label=label, images=n) for text, (label, n) in data.renamed.items()
            },
            dropped=dict(data.dropped),
            absent=data.absent,
        ),
        leaks=[_leak_facts(each.row.name, leak, data) for each, leak in pairs],
        models=[_model(each, data, request.prevalence) for each in answers],
        differences=paired_differences(answers, outputs, data.bench),
    )


def _leak_facts(name: str, leaks: Leaks, data: ValidationData) -> LeakFacts:
    if leaks.reason:
        return LeakFacts(model=name, state="not checked", reason=leaks.reason)
    names = data.bench.names
    return LeakFacts(
        model=name,
        state="found" if leaks.parts else "none",
        by_part=leaks.by_part(),
        first=[names[index] for index in sorted(leaks.parts)[:_SHOWN_LEAKS]],
    )


def _model(
    answers: ModelAnswers, data: ValidationData, prevalence: Mapping[str, float]
) -> ModelValidation:
    classes = data.bench.classes
    outcomes = class_outcomes(answers, classes)
    gaps = gaps_of(answers, data.attributes, classes)
    return ModelValidation(
        name=answers.row.name,
        decides=answers.decides,
        overall=outcome_of_all(answers),
        outcomes=outcomes,
        confusion=confusion_of(answers, classes),
        answered_classes=answered_classes(outcomes),
        values=class_values(answers, classes, prevalence),
        attributes=[attribute_shares(answers, each, classes) for each in data.attributes],
        gaps=gaps.largest,
        comparisons=gaps.comparisons,
    )
