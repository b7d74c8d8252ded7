"""Every method, whole: all of its stages through the trainer, in either precision, by one process
and by two.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import method_share
import pytest
from method_share import CASES, EPOCHS, QUICK, outcome, samples
from pair import Outcome, trained_in_pair

VALIDATED = 21  # two processes cannot share them evenly
Case = tuple[str, str]
Pair = list[dict[Case, Outcome]]


@pytest.fixture(scope="module")
def train_in_pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cache: Path
) -> Callable[[Case], Pair]:
    """The outcomes of both processes for the cases that run with a case, trained together once."""
    trained: dict[bool, Pair] = {}

    def train(quick: bool) -> Pair:
        if quick:
            return [each["method_share"] for each in request.getfixturevalue("pair")]
        cases = [case for case in CASES if case not in QUICK]
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("EDGEKD_CACHE", str(cache))
            patched.setenv("WORK", str(tmp_path_factory.mktemp("work")))
            patched.setenv("CASES", json.dumps(cases))
            for divided in (False, True):
                samples(divided)  # decoded once
            return trained_in_pair(method_share.__file__, tmp_path_factory.mktemp("pair"))

    def pair_of(case: Case) -> Pair:
        quick = case in QUICK
        if quick not in trained:
            trained[quick] = train(quick)
        return trained[quick]

    return pair_of


def outcomes(
    case: Case, processes: int, tmp_path: Path, train_in_pair: Callable[[Case], Pair]
) -> list[Outcome]:
    """What each of the processes came to in a case."""
    if processes == 1:
        return [outcome(*case, tmp_path)]
    pair = train_in_pair(case)
    for each in pair:
        assert case in each, f"the processes ended before, at {list(each)[-1]}"
    return [each[case] for each in pair]


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id="-".join(case), marks=() if case in QUICK else pytest.mark.slow)
        for case in CASES
    ],
)
def test_all_stages_of_a_method(case, processes, tmp_path, train_in_pair):
    first, *others = outcomes(case, processes, tmp_path, train_in_pair)
    for each in (first, *others):
        assert not each.error, each.error
        assert not each.unreached
        if case[1] == "fp32":
            assert all(together == pytest.approx(alone) for together, alone in each.scores)
    for stage, history in first.histories.items():
        seen = sum(each.judged[stage] for each in (first, *others))
        assert seen == EPOCHS * VALIDATED
        assert [row["epoch"] for row in history] == list(range(1, EPOCHS + 1))
        assert all(math.isfinite(value) for row in history for value in row.values())
    assert all(tensor.isfinite().all() for tensor in first.state.values())
    for each in others:
        assert each.histories == first.histories
        assert each.norms == first.norms
        assert each.state.keys() == first.state.keys()
        assert all(tensor.equal(each.state[key]) for key, tensor in first.state.items())
