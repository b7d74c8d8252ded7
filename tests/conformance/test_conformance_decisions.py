"""Decisions among the vectors."""

from __future__ import annotations

from edgekd.conformance import Vectors
from edgekd.conformance.decisions import decide
from edgekd.extensions.tasks import TASKS


def test_every_task_and_every_reason_occurs(vectors: Vectors) -> None:
    assert {case.task for case in vectors.decisions} == set(TASKS.built_in)
    for task in TASKS.built_in:
        codes = {r.code for case in vectors.decisions if case.task == task for r in case.reasons}
        assert codes == {"not-finite", "unsure", "not-excluded", "unfamiliar"}
        verdicts = {case.verdict for case in vectors.decisions if case.task == task}
        assert verdicts == {"answer", "refer"}


def test_words_for_numbers_are_read_back(vectors: Vectors) -> None:
    case = next(case for case in vectors.decisions if "nan" in case.logits)
    again = decide(case.id, case.task, case.classes, case.decision, case.logits)
    assert again == case
    assert set(case.probabilities.values()) == {"nan"}
