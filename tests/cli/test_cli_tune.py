"""`edgekd tune`: its arguments and its outputs; the search is tested in tests/tune."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from commands import refused

from edgekd.cli import main
from edgekd.tune import tuning
from edgekd.tune.outcome import TrialResult, TuneResult
from edgekd.tune.supernet import search
from edgekd.tune.supernet.outcome import Candidate, SupernetResult
from edgekd.tune.supernet.plan import SupernetPlan
from edgekd.tune.supernet.search import SupernetRequest
from edgekd.tune.tuning import TuneRequest


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[TuneRequest]:
    """The requests that the verb makes; each has a result of one trial."""
    made: list[TuneRequest] = []

    def tune(request: TuneRequest) -> TuneResult:
        made.append(request)
        trial = TrialResult(
            number=0, state="complete", default=True, values={"image_size": 64}, quality=0.5,
            cost=2e6,
        )  # fmt: skip
        return TuneResult(
            name="demo", metric="balanced_accuracy", cost="macs", lowered=None, device=None,
            trials=[trial], front=[0],
        )  # fmt: skip

    monkeypatch.setattr(tuning, "tune", tune)
    return made


def test_the_table_is_on_stdout(
    requests: list[TuneRequest], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    capsys.readouterr()
    assert main(["tune", "demo", "--space", "demo", "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "the recipe itself" in out
    assert requests[0].recipe.name == "demo"
    assert "image_size" in requests[0].space.domains
    assert (requests[0].trials, requests[0].workers, requests[0].cost) == (20, 1, "macs")


def test_json_alone_is_on_stdout(
    requests: list[TuneRequest], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    capsys.readouterr()
    words = ["--trials", "7", "--workers", "2", "--cost", "latency", "--device", "rpi",
             "--lowered", "rpi", "--seed", "3", "--set", "student.fit.epochs=2",
             "--storage", "sqlite:///x.db", "--study", "mine", "--pruning", "none"]  # fmt: skip
    arguments = ["tune", "demo", "--space", "demo", "--out", str(tmp_path / "out"), "--json"]
    assert main([*arguments, *words]) == 0
    result = msgspec.convert(json.loads(capsys.readouterr().out), TuneResult)
    assert result.front == [0]
    (request,) = requests
    assert (request.trials, request.workers, request.seed) == (7, 2, 3)
    assert (request.cost, request.device, request.lowered) == ("latency", "rpi", "rpi")
    assert (request.storage, request.study, request.pruning) == ("sqlite:///x.db", "mine", "none")
    assert request.recipe.student.fit.epochs == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--space", "nosuch"], "no search space"),
        (["--space", "demo", "--cost", "euro"], "euro"),
        (["--space", "demo", "--trials", "0"], "no search"),
        (["--space", "demo", "--cost", "latency", "--workers", "2"], "beside the training"),
        (["--space", "demo", "--device", "rpi"], "--cost latency"),
        (["--space", "demo", "--seed", "-1"], "seed"),
        ([], "--space"),
        (["--space", "demo", "--max-macs", "1e6"], "--search supernet"),
        (["--space", "demo", "--data", "none"], "--search supernet"),
        (["--search", "supernet", "--space", "demo"], "no file 'demo'"),
        (["--search", "supernet", "--max-latency", "3"], "--latency TABLE"),
        (["--search", "supernet", "--max-macs", "-1"], "max-macs"),
        (["--search", "supernet", "--trials", "3"], "--search recipes"),
        (["--search", "supernet", "--storage", "sqlite:///x.db"], "--search recipes"),
    ],
)
def test_wrong_arguments_are_refused(
    words: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, ["tune", "demo", *words, "--out", str(tmp_path / "out")], 2, expected)
    assert not (tmp_path / "out").exists()


def test_an_unknown_key_of_a_space_names_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = tmp_path / "space.yaml"
    space.write_text("student.fit.lerning_rate: {low: 0.001, high: 0.01}\n")
    arguments = ["tune", "demo", "--space", str(space), "--out", str(tmp_path / "out")]
    refused(capsys, arguments, 2, str(space), "did you mean 'learning_rate'?")


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[SupernetRequest]:
    """The requests of a search by a supernet; each has a result of one network."""
    made: list[SupernetRequest] = []

    def found(request: SupernetRequest) -> SupernetResult:
        made.append(request)
        options = request.plan.space.smallest
        candidate = Candidate(
            number=0, generation=0, quality=0.5, loss=1.0, macs=2_000_000, latency_ms=None,
            options=options, recipe="recipes/1.yaml",
        )  # fmt: skip
        return SupernetResult(
            name="demo", images=request.images, metric="agreement", cost="macs",
            limit=request.limit, architectures=9, candidates=[candidate], front=[0], winner=0,
        )  # fmt: skip

    monkeypatch.setattr(search, "search", found)
    return made


def test_a_search_by_a_supernet_needs_no_space(
    searches: list[SupernetRequest], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    capsys.readouterr()
    words = ["--search", "supernet", "--data", "none", "--max-macs", "3e6", "--seed", "2"]
    assert main(["tune", "demo", *words, "--out", str(tmp_path / "out")]) == 0
    assert "the winner" in capsys.readouterr().out
    (request,) = searches
    assert (request.images, request.max_macs, request.seed) == ("none", 3e6, 2)
    assert request.plan == SupernetPlan()


def test_its_json_alone_is_on_stdout(
    searches: list[SupernetRequest], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    capsys.readouterr()
    plan = tmp_path / "plan.yaml"
    plan.write_text("supernet: {steps: 7}\n")
    words = ["--search", "supernet", "--space", str(plan), "--latency", str(tmp_path / "t.json"),
             "--max-latency", "5", "--device", "rpi", "--lowered", "rpi", "--json"]  # fmt: skip
    assert main(["tune", "demo", *words, "--out", str(tmp_path / "out")]) == 0
    result = msgspec.convert(json.loads(capsys.readouterr().out), SupernetResult)
    assert result.candidates[result.winner].macs == 2_000_000
    (request,) = searches
    assert request.plan.supernet.steps == 7
    assert (request.images, request.limit, request.max_macs) == ("recipe", 5.0, None)
    assert (request.device, request.lowered) == ("rpi", "rpi")
