"""A search from recipe and space to its files; the worker runs in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import optuna
import pytest
import searches

from edgekd.distill.runs import pipeline
from edgekd.errors import EdgekdError, InputError
from edgekd.models import read_card
from edgekd.recipe import load_recipe
from edgekd.tune import tuning
from edgekd.tune.space import space_of
from edgekd.tune.study import finished
from edgekd.tune.tuning import TuneRequest, tune
from edgekd.tune.worker import run_trials
from edgekd.tune.workers import Workers


@pytest.fixture(autouse=True)
def _worker_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(self: Workers) -> None:
        run_trials(self.out, 0, self.study.study_name, self.storage)
        for trial in finished(self.study):
            self.report(trial)

    monkeypatch.setattr(Workers, "run", run)


def request(folder: Path, **fields: Any) -> TuneRequest:
    recipe = fields.pop("recipe", None) or searches.recipe_of(folder)
    space = space_of(fields.pop("space", searches.SPACE), recipe, "the test's space")
    return TuneRequest(**{"recipe": recipe, "space": space, "out": folder / "out", "trials": 3,
                          **fields})  # fmt: skip


def test_a_search_writes_front_recipes_and_picture(tmp_path: Path) -> None:
    lines: list[str] = []
    result = tune(request(tmp_path, say=lines.append))
    out = tmp_path / "out"
    assert len(result.trials) == 3
    default = result.trial(0)
    assert default.default
    assert default.values[searches.WIDTHS] == [4, 4, 8, 8]
    assert default.values["method.weight"] == pytest.approx(0.5)
    assert (out / "front.json").is_file()
    assert (out / "front.svg").read_text().startswith("<?xml")
    assert any(line.startswith("trial 0: balanced accuracy") for line in lines)
    for place, number in enumerate(result.front, 1):
        recipe = load_recipe(str(out / "recipes" / f"{place}.yaml"))
        assert recipe.teacher.checkpoint == str((out / "teacher").resolve())
        assert recipe.name == f"tiny-{number}"
    # One teacher for all of them, and no image of the test part is looked at.
    teacher = read_card(out / "teacher").weights_sha256
    for trial in result.trials:
        student = out / trial.run / "student"
        assert read_card(student).training.teacher == teacher
        assert "test" not in json.loads((student / "metrics.json").read_text())
    assert "test" not in json.loads((out / "teacher" / "metrics.json").read_text())


def test_a_recipe_of_the_front_distils_to_its_trial_s_student(tmp_path: Path) -> None:
    result = tune(request(tmp_path, trials=2))
    number = result.front[0]
    recipe = load_recipe(str(tmp_path / "out" / result.trial(number).recipe))
    pipeline.distill(pipeline.RunRequest(recipe, tmp_path / "again"))
    of_trial = read_card(tmp_path / "out" / result.trial(number).run / "student")
    again = read_card(tmp_path / "again" / "student")
    assert again.weights_sha256 == of_trial.weights_sha256
    assert "test" in json.loads((tmp_path / "again" / "student" / "metrics.json").read_text())


def test_more_trials_continue_a_search(tmp_path: Path) -> None:
    first = tune(request(tmp_path, trials=2))
    more = tune(request(tmp_path, trials=3))
    assert more.trials[:2] == [
        type(each)(**{**vars_of(each), "recipe": more.trials[n].recipe})
        for n, each in enumerate(first.trials)
    ]
    assert len(more.trials) == 3


def vars_of(trial: Any) -> dict[str, Any]:
    return {name: getattr(trial, name) for name in trial.__struct_fields__}


def test_another_search_is_refused_in_the_same_folder(tmp_path: Path) -> None:
    tune(request(tmp_path, trials=1))
    with pytest.raises(InputError, match="differs in cost"):
        tune(request(tmp_path, trials=1, cost="params"))


def test_one_objective_prunes(tmp_path: Path) -> None:
    result = tune(request(tmp_path, trials=2, cost="none"))
    assert len(result.front) == 1
    assert result.trial(result.front[0]).quality == max(t.quality for t in result.trials)


def test_chance_is_the_score_of_one_answer_for_all(tmp_path: Path) -> None:
    result = tune(request(tmp_path, trials=1))
    classes = len(read_card(tmp_path / "out" / "teacher").classes)
    assert result.reference is not None
    assert result.reference.quality == pytest.approx(1 / classes, abs=0.05)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"trials": 0}, "no search"),
        ({"workers": 0}, "no search"),
        ({"device": "cpu"}, "--cost latency alone"),
        ({"cost": "latency", "workers": 2}, "beside the training"),
        ({"cost": "latency", "device": "cpu"}, "runs lowered files"),
        ({"cost": "latency", "device": "nosuch", "lowered": "cpu"}, "no device"),
        ({"lowered": "nosuch"}, "nosuch"),
    ],
)
def test_options_that_make_no_search_are_refused_first(
    tmp_path: Path, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(EdgekdError, match=words):
        tune(request(tmp_path, **fields))
    assert not (tmp_path / "out").exists()


def test_several_devices_are_refused(tmp_path: Path) -> None:
    trainer = {"accelerator": "cpu", "devices": 2}
    with pytest.raises(InputError, match="on one device"):
        tune(request(tmp_path, recipe=searches.recipe_of(tmp_path, trainer=trainer)))


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"method.wieght": {"choice": [0.1, 0.2]}}, "wieght"),
        ({"method.weight": {"low": 0.5, "high": 1.5}}, "1.5 of method.weight"),
        ({"student.model.arch": {"choice": ["resnet10t", "resnet10x"]}}, "resnet10x of"),
        ({"student.model.options.chanels": {"choice": [1, 2]}}, "chanels"),
    ],
)
def test_values_that_no_trial_could_use_are_refused_before_the_teacher_is_trained(
    tmp_path: Path, space: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        tune(request(tmp_path, space=space))
    assert not (tmp_path / "out" / "teacher").exists()


def test_two_searches_at_a_time_in_one_folder_are_refused(tmp_path: Path) -> None:
    with tuning.only_writer(tmp_path / "out", "tuned"), pytest.raises(InputError, match="tuned"):
        tune(request(tmp_path))


def test_a_method_without_a_teacher_trains_none(tmp_path: Path) -> None:
    recipe = searches.recipe_of(tmp_path, method={"name": "none"}, teacher=None)
    tune(request(tmp_path, recipe=recipe, space={searches.RATE: searches.SPACE[searches.RATE]},
                 trials=1))  # fmt: skip
    assert not (tmp_path / "out" / "teacher").exists()


def test_the_journal_is_read_by_optuna_itself(tmp_path: Path) -> None:
    tune(request(tmp_path, trials=1))
    journal = optuna.storages.journal.JournalFileBackend(str(tmp_path / "out" / "study.journal"))
    study = optuna.load_study(study_name="tiny", storage=optuna.storages.JournalStorage(journal))
    assert len(study.trials) == 1
