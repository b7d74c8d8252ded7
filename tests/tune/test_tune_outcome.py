"""The result of a search: states, front, hypervolume, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import optuna
import pytest
import searches
from optuna.trial import FrozenTrial, TrialState

from edgekd.recipe import load_recipe
from edgekd.tune.front import Point
from edgekd.tune.job import TuneJob
from edgekd.tune.outcome import TuneResult, cost_text, result_of, write_result
from edgekd.tune.study import DEFAULT, FAILURE, open_study
from edgekd.tune.trial import Attribute, suggested


def search(
    folder: Path, *outcomes: tuple[float, ...] | str, **fields: Any
) -> tuple[TuneJob, optuna.Study]:
    """A study of finished trials, the first of them the recipe itself.

    Each outcome is the values of a trial, `refused`, `pruned` or the reason of a failure.
    """
    job = searches.job_of(folder, **fields)
    study = open_study(job, folder)
    for number, outcome in enumerate(outcomes):
        trial = study.ask()
        suggested(trial, job.typed_space)
        if number == 0:
            trial.set_user_attr(DEFAULT, True)
        if outcome == "refused":
            trial.set_constraint("refused", 1.0)
            trial.set_user_attr(Attribute.REFUSAL, "mel is lost")
            study.tell(trial, [0.99, 0.01])
        elif outcome == "pruned":
            trial.report(0.1, 1)
            study.tell(trial, state=TrialState.PRUNED)
        elif isinstance(outcome, str):
            trial.set_user_attr(FAILURE, outcome)
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, outcome)
    return job, study


def test_states_reasons_and_the_front(tmp_path: Path) -> None:
    job, study = search(
        tmp_path, (0.5, 100.0), (0.4, 50.0), "refused", (0.45, 120.0), "it diverged", chance=0.2
    )
    result = result_of(job, study)
    states = [trial.state for trial in result.trials]
    assert states == ["complete", "complete", "refused", "complete", "failed"]
    assert result.front == [1, 0]  # the refused one would beat both
    assert result.trial(2).reason == "mel is lost"
    assert result.trial(4).reason == "it diverged"
    assert [trial.recipe for trial in result.trials] == [
        "recipes/2.yaml", "recipes/1.yaml", "", "", "",
    ]  # fmt: skip


def test_the_hypervolume_is_in_units_of_the_recipe_itself(tmp_path: Path) -> None:
    job, study = search(tmp_path, (0.5, 100.0), (0.4, 50.0), (0.1, 1.0), chance=0.2)
    result = result_of(job, study)
    assert result.reference == Point(0.2, 200.0)
    assert result.default_hypervolume == pytest.approx(0.3 * 1.0)
    assert result.hypervolume == pytest.approx(0.3 * 1.0 + 0.2 * 0.5)
    # The worthless student of hardly any cost adds nothing.


def test_without_a_result_of_the_recipe_itself_there_is_no_hypervolume(tmp_path: Path) -> None:
    result = result_of(*search(tmp_path, "it diverged", (0.5, 1.0)))
    assert (result.hypervolume, result.reference) == (None, None)
    assert result.front == [1]


def test_of_one_objective_the_best_is_the_front(tmp_path: Path) -> None:
    result = result_of(*search(tmp_path, (0.5,), (0.7,), "pruned", (0.6,), cost="none"))
    assert result.front == [1]
    assert result.trials[2].state == "pruned"
    assert result.hypervolume is None


def test_a_search_whose_files_are_all_refused_has_no_front(tmp_path: Path) -> None:
    job, study = search(tmp_path, "refused", "refused")
    result = result_of(job, study)
    assert result.front == []
    assert write_result(job, result, tmp_path)[0].name == "front.json"


def test_recipes_of_the_front_are_such_as_distill_takes(tmp_path: Path) -> None:
    job, study = search(tmp_path, (0.5, 100.0), (0.4, 50.0))
    stale = tmp_path / "recipes" / "9.yaml"
    stale.parent.mkdir()
    stale.write_text("of an earlier front")
    result = result_of(job, study)
    files = write_result(job, result, tmp_path)
    assert [file.name for file in files] == ["1.yaml", "2.yaml", "front.json", "front.svg"]
    assert not stale.exists()
    cheap = load_recipe(str(tmp_path / "recipes" / "1.yaml"))
    assert cheap.name == "tiny-1"
    values = result.trial(1).values
    assert cheap.student.model.options["channels"] == values[searches.WIDTHS]
    assert cheap.student.fit.learning_rate == values[searches.RATE]
    rest = msgspec.structs.replace(cheap, name="tiny", student=job.typed_recipe.student)
    assert rest == job.typed_recipe
    assert "0.400" in (tmp_path / "recipes" / "1.yaml").read_text().splitlines()[0]


def test_front_json_is_the_result(tmp_path: Path) -> None:
    job, study = search(tmp_path, (0.5, 100.0), "refused", "it diverged")
    result = result_of(job, study)
    write_result(job, result, tmp_path)
    read = msgspec.json.decode((tmp_path / "front.json").read_bytes(), type=TuneResult)
    assert read == result


def test_the_time_of_a_file_that_was_refused_is_unknown(tmp_path: Path) -> None:
    job, study = search(tmp_path, cost="latency", lowered="cpu")
    trial = study.ask()
    trial.set_constraint("refused", 1.0)
    trial.set_user_attr(Attribute.REFUSAL, "mel is lost")
    study.tell(trial, [0.5, float("inf")])
    result = result_of(job, study)
    assert result.trials[0].cost is None
    write_result(job, result, tmp_path)
    assert isinstance(study.get_trials()[0], FrozenTrial)


@pytest.mark.parametrize(
    ("cost", "value", "text"),
    [("latency", 3.14159, "3.14 ms"), ("macs", 2_500_000, "2.5 M"), ("params", None, "—")],
)
def test_costs_have_their_unit(cost: str, value: float | None, text: str) -> None:
    assert cost_text(cost, value) == text
