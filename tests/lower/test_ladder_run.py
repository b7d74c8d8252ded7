"""The ladder of one bundle on its way: what it still needs, and when it gives up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from edgekd.errors import EdgekdError, InputError
from edgekd.lower.attempt import Attempt, Checked, Failed, Lowered, Measured
from edgekd.lower.backends.base import UnconvertibleError
from edgekd.lower.evidence.gate import GateReference
from edgekd.lower.jobs.process import JobError
from edgekd.lower.jobs.trial import Answers
from edgekd.lower.ladder_run import LadderRun, bundle_error
from edgekd.lower.plan import Plan
from edgekd.lower.precision import Variant
from edgekd.lower.store import Kept
from edgekd.policy import GateLimits

TARGETS = np.arange(200) % 2
STUDENT = np.eye(2, dtype=np.float32)[TARGETS] * 4
LIMITS = GateLimits(
    max_flips=0.03, max_balanced_accuracy_drop=0.03, max_sensitivity_drop=0.05,
    max_ece_increase=0.02,
)  # fmt: skip
REFERENCE = GateReference(STUDENT, TARGETS, ("mel", "nv"), LIMITS, {"mel": 0.05})
BACKEND = SimpleNamespace(name="engine", model_file="model", completion="complete")
MADE = Kept(Path(__file__).parent, {})


def attempt(precision: str, layers: int = 0, *, fine_tuned: bool = False) -> Attempt:
    variant = Variant(precision=precision, float_layers=tuple(f"l{n}" for n in range(layers)))
    return Attempt(cast(Any, BACKEND), variant, "key", fine_tuned)


def measured(precision: str, layers: int = 0, *, good: bool = True, **options: Any) -> Measured:
    outputs = STUDENT if good else STUDENT[:, ::-1]
    answers = Answers(outputs, np.ones(len(TARGETS)), {})
    return Measured(Checked(Lowered(attempt(precision, layers, **options), MADE), None), answers)


def failed(precision: str, *, made: Kept | None = None, kind: str = "") -> Failed:
    error = JobError("engine: no such operator", "another student", kind=kind, cause="no operator")
    return Failed.by_job(attempt(precision), "running" if made else "lowering", error, made)


def run_of(*ladder: str) -> LadderRun:
    plan = SimpleNamespace(ladder=ladder, name="bundle")
    return LadderRun(cast(Plan, plan), REFERENCE)


def test_int8_is_needed_until_a_file_with_it_passes() -> None:
    run = run_of("int8", "int8-mixed", "fp32")
    run.add([measured("int8", good=False), measured("fp32")])
    assert run.needs_int8
    assert run.needs_fine_tuning
    run.add([measured("int8-mixed", 2)])
    assert not run.needs_int8
    assert not run.needs_fine_tuning
    assert not run_of("fp32").needs_int8


def test_fine_tuning_is_not_needed_where_no_int8_file_can_be_made() -> None:
    run = run_of("int8", "fp32")
    run.add([failed("int8"), measured("fp32")])
    assert run.needs_int8
    assert not run.needs_fine_tuning


def test_attempts_stand_in_the_order_of_the_ladder_and_fine_tuned_ones_after_mixed_ones() -> None:
    run = run_of("int8", "int8-mixed", "fp32")
    run.add([measured("fp32"), measured("int8", good=False), measured("fp16")])
    run.add([measured("int8-mixed", 4, good=False), measured("int8-mixed", 2, good=False)])
    run.add([measured("int8", fine_tuned=True)])
    places = [(one.attempt.label, one.attempt.quantisation_aware) for one in run.ladder]
    assert places == [
        ("int8", False), ("int8-mixed-2", False), ("int8-mixed-4", False), ("int8", True),
        ("fp32", False),
    ]  # fmt: skip


def test_a_refused_file_is_the_one_that_was_meant() -> None:
    run = run_of("int8", "fp32")
    first, second = run.add([measured("int8"), measured("fp32")])
    run.refuse(cast(Any, second), "a floor is not met")
    passed = [cast(Any, one).passed for one in run.ladder]
    assert passed == [True, False]
    assert cast(Any, run.ladder[1]).gate.reasons == ("a floor is not met",)
    assert run.ladder[0] is first


def test_a_run_goes_on_while_a_safer_file_may_be_made() -> None:
    run = run_of("int8", "int8-mixed")
    run.add([failed("int8", made=MADE)])
    run.settle()
    assert run.error is None


@pytest.mark.parametrize(
    ("attempts", "message"),
    [
        ([failed("int8"), failed("fp32")], "engine cannot convert the network: no operator"),
        ([failed("fp32", made=MADE)], "engine cannot run a file of the network: no operator"),
        ([failed("fp32", kind=UnconvertibleError.__name__)], "no bundle for bundle: no operator"),
    ],
)
def test_a_run_without_any_file_ends_with_the_cause(attempts: list[Failed], message: str) -> None:
    run = run_of("int8", "fp32")
    run.add(attempts)
    run.settle()
    assert isinstance(run.error, UnconvertibleError)
    assert message in run.error.message
    assert run.error.hint


def test_errors_of_the_disk_are_the_users() -> None:
    error = OSError(28, "No space left on device", "/out")
    assert isinstance(bundle_error("rpi", error), InputError)
    assert bundle_error("rpi", error).message == "no bundle for rpi: /out: No space left on device"
    other = EdgekdError("a", "b")
    assert bundle_error("rpi", other) is other
