"""Which rung a bundle takes, and what is said of the slow ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekd.bundle import EngineCheck, Rung
from edgekd.lower.backends import get_backend
from edgekd.lower.candidate import Candidate
from edgekd.lower.evidence.gate import GateReference
from edgekd.lower.evidence.ladder import Step, chosen, judge_candidate, with_remarks
from edgekd.lower.jobs.trial import Answers
from edgekd.lower.precision import Variant
from edgekd.lower.store import Kept
from edgekd.policy import GateLimits

TARGETS = np.arange(200) % 2
STUDENT = np.eye(2, dtype=np.float32)[TARGETS] * 4
JUDGED = GateReference(
    STUDENT, TARGETS, ("mel", "nv"),
    GateLimits(
        max_flips=0.03, max_balanced_accuracy_drop=0.03, max_sensitivity_drop=0.05,
        max_ece_increase=0.02,
    ),
    {"mel": 0.05},
)  # fmt: skip


def step(
    precision: str, *, ms: float, pieces: int | None = 1, good: bool = True, backend: str = "tflite"
) -> Step:
    logits = STUDENT if good else STUDENT[:, ::-1]
    facts: dict[str, Any] = {"engine": "x", "xnnpack_partitions": pieces}
    answers = Answers(logits, np.full(len(TARGETS), ms), facts)
    candidate = Candidate(
        get_backend(backend), Variant(precision=precision), "key",
        Kept(Path(__file__).parent, {}), answers,
    )  # fmt: skip
    return judge_candidate(candidate, JUDGED)


def labels(steps: list[Step]) -> list[str]:
    return [one.rung.precision for one in steps]


def rungs(steps: list[Step]) -> list[Rung]:
    return [one.rung for one in with_remarks(steps)]


@pytest.mark.parametrize(
    ("failure", "remarks"), [(None, ("finished with simulated int8", "float32: 'a'")), ("no", ())]
)
def test_what_the_check_remarks_stands_with_the_rung(
    failure: str | None, remarks: tuple[str, ...]
) -> None:
    check = EngineCheck(status="passed", by="a tool", findings=("float32: 'a'",))
    answers = Answers(STUDENT, np.ones(len(TARGETS)), {})
    candidate = Candidate(
        get_backend("tensorrt"), Variant(precision="fp16"), "key",
        Kept(Path(__file__).parent, {}), None if failure else answers, failure, check=check,
    )  # fmt: skip
    judged = judge_candidate(candidate, JUDGED, rescued=failure is None)
    assert (judged.rung.remarks, judged.rung.failure) == (remarks, failure)
    assert judged.passed == (failure is None)


def test_the_first_that_passes_is_taken() -> None:
    steps = [step("int8", ms=1, good=False), step("fp16", ms=2), step("fp32", ms=2)]
    assert [one.passed for one in steps] == [False, True, True]
    assert chosen(with_remarks(steps)) == 1
    assert chosen([]) is None
    assert chosen([step("int8", ms=1, good=False)]) is None


def test_a_slower_rung_is_said_to_be_so_and_taken() -> None:
    """Its time is the host's; the device's may be another."""
    steps = [step("int8", ms=3.0), step("fp16", ms=2.0), step("fp32", ms=2.0)]
    found = rungs(steps)
    assert found[0].remarks == ("1.5 times the time of fp16 on this host",)
    assert (found[1].remarks, found[2].remarks) == ((), ())
    assert chosen(with_remarks(steps)) == 0


def test_a_rung_in_pieces_that_is_slower_is_passed_over() -> None:
    """hard-swish on XNNPACK: the pieces go along to every device."""
    steps = [step("int8", ms=18, pieces=27), step("int8-weights", ms=5), step("fp32", ms=5)]
    found = with_remarks(steps)
    assert found[0].rung.remarks == (
        "the engine takes it in 27 pieces", "3.6 times the time of int8-weights on this host",
    )  # fmt: skip
    assert chosen(found) == 1


def test_pieces_alone_are_no_reason() -> None:
    steps = [step("int8", ms=4, pieces=3), step("fp32", ms=5)]
    assert chosen(with_remarks(steps)) == 0
    assert rungs(steps)[0].remarks == ("the engine takes it in 3 pieces",)


def test_only_a_safer_rung_that_passes_compares() -> None:
    steps = [step("int8", ms=18, pieces=27), step("fp16", ms=5, good=False)]
    assert chosen(with_remarks(steps)) == 0
    assert rungs(steps)[0].remarks == ()


def test_another_engine_than_the_devices_has_no_time() -> None:
    """Q/DQ for TensorRT is slow in ONNX Runtime, which says nothing of a Jetson."""
    steps = [step("int8", ms=30, backend="tensorrt"), step("fp32", ms=5, backend="tensorrt")]
    assert [one.host_latency_ms for one in rungs(steps)] == [None, None]
    assert rungs(steps)[0].remarks == ()


def test_what_could_not_be_made_is_a_rung_without_a_gate() -> None:
    failed = Candidate(
        get_backend("tflite"), Variant(precision="int8"), "key", failure="int8: no such operator"
    )
    found = judge_candidate(failed, JUDGED)
    assert not found.passed
    assert (found.rung.gate, found.rung.failure) == (None, "int8: no such operator")
    assert chosen(with_remarks([found, step("fp32", ms=1)])) == 1


@pytest.mark.parametrize(("precision", "fails"), [("fp32", True), ("int8", False)])
def test_fp32_must_be_the_student(precision: str, fails: bool) -> None:
    answers = Answers(STUDENT * np.float32(1.05), np.ones(len(TARGETS)), {})
    candidate = Candidate(
        get_backend("tflite"), Variant(precision=precision), "key",
        Kept(Path(__file__).parent, {}), answers,
    )  # fmt: skip
    assert judge_candidate(candidate, JUDGED).passed is not fails
