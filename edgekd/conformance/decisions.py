"""Logits and decisions of every task of edgekd; each task lists its own in its module `vectors`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import msgspec
import numpy as np

from edgekd.bundle.task import manifest_task
from edgekd.conformance.format import DecisionCase, Number, ReasonText, number, plain
from edgekd.extensions.tasks import TASKS
from edgekd.runtime.task import device_task

__all__ = ["decide", "decision_cases"]


def decision_cases() -> Iterator[DecisionCase]:
    """The cases of all built-in tasks."""
    for task in sorted(TASKS.built_in):
        vectors = import_module(f"edgekd.tasks.{task}.vectors")
        for name, (classes, decision, logits) in vectors.DECISIONS.items():
            yield decide(f"{task}-{name}", task, classes, decision, tuple(map(number, logits)))


def decide(
    case: str,
    task: str,
    classes: tuple[str, ...],
    decision: dict[str, Any],
    logits: tuple[Number, ...],
) -> DecisionCase:
    """The decision of this runtime on some logits."""
    section = msgspec.convert(decision, manifest_task(task).Decision)
    raw = np.array([plain(each) for each in logits], np.float32)
    judgement = device_task(task).judge(raw, section, classes)
    probability = judgement.probability
    return DecisionCase(
        id=case,
        task=task,
        classes=classes,
        decision=decision,
        logits=logits,
        label=judgement.label,
        verdict="refer" if judgement.reasons else "answer",
        probability=None if probability is None else number(probability),
        probabilities={name: number(each) for name, each in judgement.probabilities.items()},
        reasons=tuple(ReasonText(code=r.code, text=r.text) for r in judgement.reasons),
        conformal_set=judgement.conformal_set,
        findings=judgement.findings,
    )
