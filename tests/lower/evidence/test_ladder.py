"""Which rung a bundle takes, and the remarks on slow ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekd.bundle import EngineCheck
from edgekd.lower.attempt import Attempt, Checked, Failed, Lowered, Measured
from edgekd.lower.backends import get_backend
from edgekd.lower.evidence.gate import GateReference
from edgekd.lower.evidence.ladder import (
    GatedFile,
    judge_attempt,
    rungs_of,
    select,
    tried,
    with_speed,
)
from edgekd.lower.jobs.trial import Answers
from edgekd.lower.precision import Variant
from edgekd.lower.store import Kept
from edgekd.policy import GateLimits

TARGETS = np.arange(200) % 2
STUDENT = np.eye(2, dtype=np.float32)[TARGETS] * 4
REFERENCE = GateReference(
    STUDENT, TARGETS, ("mel", "nv"),
    GateLimits(
        max_flips=0.03, max_balanced_accuracy_drop=0.03, max_sensitivity_drop=0.05,
        max_ece_increase=0.02,
    ),
    {"mel": 0.05},
)  # fmt: skip
MADE = Kept(Path(__file__).parent, {})

Rungs = list[GatedFile | Failed]


def attempt_at(precision: str, backend: str = "tflite", **options: Any) -> Attempt:
    return Attempt(get_backend(backend), Variant(precision=precision), "key", **options)


def measured(attempt: Attempt, answers: Answers, check: EngineCheck | None = None) -> Measured:
    return Measured(Checked(Lowered(attempt, MADE), check), answers)


def judged(
    precision: str, *, ms: float, pieces: int | None = 1, good: bool = True, backend: str = "tflite"
) -> GatedFile:
    outputs = STUDENT if good else STUDENT[:, ::-1]
    facts: dict[str, Any] = {"engine": "x", "xnnpack_partitions": pieces}
    answers = Answers(outputs, np.full(len(TARGETS), ms), facts)
    verdict = judge_attempt(measured(attempt_at(precision, backend), answers), REFERENCE)
    assert isinstance(verdict, GatedFile)
    return verdict


def place_of_selected(ladder: Rungs) -> int | None:
    with_notes = with_speed(ladder)
    taken = select(with_notes)
    return None if taken is None else with_notes.index(taken)


def notes_of(ladder: Rungs) -> list[tuple[str, ...]]:
    return [rung.notes for rung in rungs_of(with_speed(ladder))]


def test_findings_of_the_check_and_fine_tuning_are_remarks_of_the_rung() -> None:
    check = EngineCheck(status="passed", by="a tool", findings=("float32: 'a'",))
    answers = Answers(STUDENT, np.ones(len(TARGETS)), {})
    attempt = attempt_at("fp16", "tensorrt", quantisation_aware=True)
    verdict = judge_attempt(measured(attempt, answers, check), REFERENCE)
    (rung,) = rungs_of([verdict])
    assert rung.notes == ("fine-tuned with simulated int8", "float32: 'a'")
    assert rung.quantisation_aware
    assert rung.gate is not None
    assert rung.gate.passed


def test_the_first_that_passes_is_taken() -> None:
    ladder: Rungs = [
        judged("int8", ms=1, good=False), judged("fp16", ms=2), judged("fp32", ms=2),
    ]  # fmt: skip
    assert place_of_selected(ladder) == 1
    assert place_of_selected([]) is None
    assert place_of_selected(ladder[:1]) is None


def test_the_taken_rung_is_marked_and_verdicts_up_to_it_are_counted() -> None:
    ladder: Rungs = [
        judged("int8", ms=1, good=False), judged("fp16", ms=2), judged("fp32", ms=2),
    ]  # fmt: skip
    rungs = rungs_of(ladder, select(ladder))
    assert [rung.chosen for rung in rungs] == [False, True, False]
    assert tried(rungs) == 2
    assert tried(rungs_of(ladder)) == 3


def test_a_slower_rung_gets_a_remark_and_is_taken() -> None:
    """Its time is the host's; the device's may be another."""
    ladder: Rungs = [judged("int8", ms=3.0), judged("fp16", ms=2.0), judged("fp32", ms=2.0)]
    assert notes_of(ladder) == [("1.5 times the time of fp16 on this host",), (), ()]
    assert place_of_selected(ladder) == 0


def test_a_rung_in_pieces_that_is_slower_is_passed_over() -> None:
    """hard-swish on XNNPACK: the partitions are the same on every device."""
    ladder: Rungs = [
        judged("int8", ms=18, pieces=27), judged("int8-weights", ms=5), judged("fp32", ms=5),
    ]  # fmt: skip
    assert notes_of(ladder)[0] == (
        "the engine takes it in 27 pieces", "3.6 times the time of int8-weights on this host",
    )  # fmt: skip
    assert place_of_selected(ladder) == 1


def test_pieces_alone_are_no_reason() -> None:
    ladder: Rungs = [judged("int8", ms=4, pieces=3), judged("fp32", ms=5)]
    assert place_of_selected(ladder) == 0
    assert notes_of(ladder)[0] == ("the engine takes it in 3 pieces",)


def test_only_a_safer_rung_that_passes_compares() -> None:
    ladder: Rungs = [judged("int8", ms=18, pieces=27), judged("fp16", ms=5, good=False)]
    assert place_of_selected(ladder) == 0
    assert notes_of(ladder)[0] == ()


def test_another_engine_than_the_devices_has_no_time() -> None:
    """Q/DQ for TensorRT is slow in ONNX Runtime, which says nothing of a Jetson."""
    ladder: Rungs = [
        judged("int8", ms=30, backend="tensorrt"), judged("fp32", ms=5, backend="tensorrt"),
    ]  # fmt: skip
    assert [rung.host_latency_ms for rung in rungs_of(ladder)] == [None, None]
    assert notes_of(ladder)[0] == ()


def test_a_failed_attempt_is_a_rung_without_a_gate() -> None:
    failed = Failed(attempt_at("int8"), "lowering", "int8: no such operator")
    verdict = judge_attempt(failed, REFERENCE)
    assert verdict is failed
    (rung,) = rungs_of([failed])
    assert (rung.gate, rung.failure, rung.size_bytes) == (None, "int8: no such operator", 0)
    assert place_of_selected([failed, judged("fp32", ms=1)]) == 1


def test_files_of_an_attempt_that_failed_later_have_their_size() -> None:
    failed = Failed(attempt_at("int8"), "running", "it crashed", made=MADE)
    assert rungs_of([failed])[0].size_bytes > 0


@pytest.mark.parametrize(("precision", "fails"), [("fp32", True), ("int8", False)])
def test_fp32_must_be_the_student(precision: str, fails: bool) -> None:
    answers = Answers(STUDENT * np.float32(1.05), np.ones(len(TARGETS)), {})
    verdict = judge_attempt(measured(attempt_at(precision), answers), REFERENCE)
    assert isinstance(verdict, GatedFile)
    assert verdict.passed is not fails
