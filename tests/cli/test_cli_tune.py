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
