"""Accuracy of one bundle or checkpoint, without speed, as a result like any other."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.bench.devices.local import LocalDevice
from edgekd.bench.measure.flags import NOT_MEASURED, Flag
from edgekd.bench.measure.machine import default_threads, local_facts
from edgekd.bench.result import DeviceFacts, Result
from edgekd.bench.run.answers import RowAnswers, Unanswered, bundle_answers, checkpoint_answers
from edgekd.bench.run.progress import Step
from edgekd.bench.run.speed import from_host
from edgekd.bench.subjects.data import BenchData, data_facts
from edgekd.bench.subjects.policy import policy_facts
from edgekd.bench.task import report_task
from edgekd.bundle import MANIFEST, Bundle
from edgekd.errors import ArtefactError, InputError
from edgekd.files import write_atomically
from edgekd.models.card import CARD, read_card
from edgekd.policy import DEFAULT_POLICY

__all__ = ["Evaluation", "ModelFacts", "evaluate", "is_bundle", "model_facts"]


@dataclass(frozen=True)
class Evaluation:
    """The accuracy of one model.

    Attributes:
        result: A result with one row.
        data: The images.
        calibrated: Calibrated outputs [N, …].
    """

    result: Result
    data: BenchData
    calibrated: NDArray[Any]

    def write_predictions(self, path: Path) -> None:
        """Write a CSV with a line for each image: path, label, prediction, score of every class.

        Where the task has no scores, the outputs of the network are written instead.
        """
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerows(self._lines())
        write_atomically(path, buffer.getvalue())

    def _lines(self) -> Iterator[tuple[str, ...]]:
        task, classes = report_task(self.data.task), self.data.classes
        for index, (image, label) in enumerate(self.data.images):
            outputs = self.calibrated[index]
            scores = task.scores(outputs, classes)
            if index == 0:
                heads = ("prediction", *scores) if scores else _output_heads(outputs)
                yield ("image", "label", *heads)
            values = list(scores.values()) or np.ravel(outputs).tolist()
            answer = task.answer(scores)
            prediction = (";".join(name for name in classes if name in answer),) if scores else ()
            yield (str(image), label, *prediction, *(f"{value:.6f}" for value in values))


def _output_heads(outputs: NDArray[Any]) -> tuple[str, ...]:
    return tuple(f"output_{index}" for index in range(np.size(outputs)))


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
    path: Path,
    data: BenchData,
    *,
    command: str,
    policy: str = DEFAULT_POLICY,
    step: Step = lambda count: None,
) -> Evaluation:
    """Measure the accuracy of a bundle or checkpoint on every image of `data`, on this host.

    Args:
        path: The bundle or the checkpoint's folder.
        data: The images.
        command: The command line, for the report.
        policy: Policy of a model that records none, by name or file.
        step: Progress in images.

    Raises:
        InputError: There is nothing at `path`, or its task or classes are not the data's.
        ArtefactError: It is damaged.
        MissingDependencyError: Its engine is not installed.
    """
    answers = _answers(path, data, step)
    if isinstance(answers, Unanswered):
        raise answers.reason
    not_timed = Flag(NOT_MEASURED["latency"], "`edgekd eval` measures accuracy alone")
    flags = [not_timed, from_host(answers.row)]
    result = Result(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=command,
        device=DeviceFacts(name="host", kind="local", facts=local_facts()),
        data=data_facts(data),
        task=data.task,
        policy=policy_facts(policy, data.classes),
        rows=[msgspec.structs.replace(answers.row, flags=flags)],
    )
    return Evaluation(result, data, answers.calibrated)


def _answers(path: Path, data: BenchData, step: Step) -> RowAnswers:
    if not is_bundle(path):
        return checkpoint_answers(path, read_card(path).role, data, step)
    host, threads = LocalDevice("host"), default_threads()
    return bundle_answers(path, data, on=host, is_target=False, threads=threads, step=step)
