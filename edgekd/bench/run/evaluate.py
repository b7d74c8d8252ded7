"""Accuracy of bundles and checkpoints, without speed, as a result like any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import msgspec

from edgekd.bench.devices.local import LocalDevice
from edgekd.bench.measure.flags import NOT_MEASURED, Flag
from edgekd.bench.measure.machine import default_threads, local_facts
from edgekd.bench.result import DeviceFacts, Result
from edgekd.bench.run.answers import Answered, Unanswered, bundle_answers, checkpoint_answers
from edgekd.bench.run.progress import Step
from edgekd.bench.run.speed import from_host
from edgekd.bench.subjects.data import BenchData, data_facts
from edgekd.bench.subjects.policy import policy_facts
from edgekd.bundle import MANIFEST, Bundle
from edgekd.errors import ArtefactError, InputError
from edgekd.models.card import CARD, read_card
from edgekd.policy import DEFAULT_POLICY

__all__ = ["Evaluation", "ModelFacts", "evaluate", "is_bundle", "model_facts"]


@dataclass(frozen=True)
class Evaluation:
    """The accuracy of one or several models on the same images.

    Attributes:
        result: A result with a row for each model.
        data: The images.
        answers: The answers of each model, in the order of the rows.
    """

    result: Result
    data: BenchData
    answers: Sequence[Answered]


def is_bundle(path: Path) -> bool:
    """Whether there is a bundle at `path`; else it is a checkpoint.

    Raises:
        InputError: There is nothing at `path`.
        ArtefactError: It is neither.
    """
    if not path.exists():
        raise InputError(f"there is nothing at {path}", "give a bundle or a checkpoint's folder")
    if path.is_file() or (path / MANIFEST).is_file():
        return True
    if (path / CARD).is_file():
        return False
    message = f"{path} is neither a bundle ({MANIFEST}) nor a checkpoint ({CARD})"
    raise ArtefactError(message, "give what `edgekd build` or `edgekd distill` wrote")


@dataclass(frozen=True)
class ModelFacts:
    """Facts of a model that labels have to match.

    Attributes:
        task: Name of the task.
        classes: Class names in the order of the outputs.
        ordered: Whether they are grades.
    """

    task: str
    classes: tuple[str, ...]
    ordered: bool


def model_facts(path: Path) -> ModelFacts:
    """Task and classes of a bundle or checkpoint; see `is_bundle` for errors."""
    if not is_bundle(path):
        card = read_card(path)
        return ModelFacts(card.task, card.classes, card.ordered)
    with Bundle.open(path, verify=False) as bundle:
        manifest = bundle.manifest
        return ModelFacts(manifest.task, manifest.model.classes, manifest.model.ordered)


def evaluate(
    paths: Sequence[Path],
    data: BenchData,
    *,
    command: str,
    policy: str = DEFAULT_POLICY,
    step: Step = lambda count: None,
) -> Evaluation:
    """Measure the accuracy of bundles and checkpoints on every image of `data`, on this host.

    Args:
        paths: The bundles and checkpoints' folders.
        data: The images.
        command: The command line, for the report.
        policy: Policy of a model that records none, by name or file.
        step: Progress in images, of all models together.

    Raises:
        InputError: There is nothing at a path, or a model's task or classes are not the data's.
        ArtefactError: A model is damaged.
        MissingDependencyError: An engine is not installed.
    """
    answers = [_answers(path, data, step) for path in paths]
    not_timed = Flag(NOT_MEASURED["latency"], "`edgekd eval` measures accuracy alone")
    rows = [
        msgspec.structs.replace(each.row, name=name, flags=[not_timed, from_host(each.row)])
        for each, name in zip(answers, _unique_names(answers), strict=True)
    ]
    result = Result(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=command,
        device=DeviceFacts(name="host", kind="local", facts=local_facts()),
        data=data_facts(data),
        task=data.task,
        policy=policy_facts(policy, data.classes),
        rows=rows,
    )
    return Evaluation(result, data, answers)


def _answers(path: Path, data: BenchData, step: Step) -> Answered:
    if not is_bundle(path):
        return checkpoint_answers(path, read_card(path).role, data, step)
    host, threads = LocalDevice("host"), default_threads()
    answers = bundle_answers(path, data, on=host, is_target=False, threads=threads, step=step)
    if isinstance(answers, Unanswered):
        raise answers.reason
    return answers


def _unique_names(answers: Sequence[Answered]) -> list[str]:
    """The name of each row; rows of one name are distinguished by their folder or a number."""
    plain = [each.row.name for each in answers]
    names = [
        f"{name} ({each.path.name})" if plain.count(name) > 1 else name
        for name, each in zip(plain, answers, strict=True)
    ]
    return [
        name if names.count(name) == 1 else f"{name} {names[: index + 1].count(name)}"
        for index, name in enumerate(names)
    ]
