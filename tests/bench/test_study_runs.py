"""`benchmarks/study/run.py` on networks that train in a second."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from safetensors.numpy import load_file
from study_design import importing, write_design

from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.training.module import StageModule
from edgekd.files import sha256_of


@dataclass
class TinyStudy:
    """A study in a folder.

    Attributes:
        folder: With `design`, `data`, `out` and `results`.
        module: Imports a module of the study.
    """

    folder: Path
    module: Callable[[str], Any]

    def run(self, *arguments: str) -> int:
        """The command's exit code."""
        places = {name: str(self.folder / name) for name in ("data", "design", "out", "results")}
        options = [part for name, place in places.items() for part in (f"--{name}", place)]
        code: int = self.module("run").main([*arguments, *options, "--threads", "1"])
        return code

    def record(self, table: str, name: str) -> dict[str, Any]:
        """A record as plain values."""
        file = self.folder / "results" / table / f"{name}.json"
        content: dict[str, Any] = json.loads(file.read_text())
        return content


@pytest.fixture(scope="module")
def screened(tmp_path_factory) -> Iterator[tuple[TinyStudy, list[str]]]:
    """A study after `screen`, and the parts of the images that it asked for."""
    folder = tmp_path_factory.mktemp("study")
    write_design(folder / "design")
    (folder / "data").mkdir()
    asked: list[str] = []
    part = RunSamples.part
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            RunSamples, "part", lambda self, name: (asked.append(name), part(self, name))[1]
        )
        for module in importing():
            study = TinyStudy(folder, module)
            assert study.run("screen") == 0
            yield study, asked


@pytest.fixture
def study(screened, tmp_path) -> TinyStudy:
    """A copy of the study after `screen`, which a test may change."""
    made, _ = screened
    for name in ("design", "data", "out", "results"):
        shutil.copytree(made.folder / name, tmp_path / name)
    return TinyStudy(tmp_path, made.module)


@pytest.fixture
def trained(monkeypatch) -> list[str]:
    """The stages that are trained from now on."""
    stages: list[str] = []
    begin = StageModule.on_train_start

    def noted(self: StageModule) -> None:
        stages.append(self.stage.name)
        begin(self)

    monkeypatch.setattr(StageModule, "on_train_start", noted)
    return stages


def test_a_table_without_the_test_part_never_sees_it(screened):
    study, asked = screened
    assert set(asked) == {"validation"}
    for file in (study.folder / "out").rglob("metrics.json"):
        assert "test" not in file.read_text(), file
    with np.load(study.folder / "results" / "screen" / "kd-seed0.npz") as arrays:
        assert {name.partition("_")[0] for name in arrays.files} == {"validation"}


def test_a_record_tells_the_whole_run(screened):
    study, _ = screened
    record = study.record("screen", "kd-seed0")
    assert record["method"] == "kd"
    assert record["data"]["images"]["validation"] == 40
    assert record["epochs"] == 1
    assert record["precision"] == "fp32"
    assert [taught["run"] for taught in record["teachers"]] == [
        "teachers/one-seed0", "teachers/two-seed0",
    ]  # fmt: skip
    assert record["recipe"]["teachers"][0] == {"checkpoint": "teachers/one-seed0"}
    assert record["recipe"]["teacher"] == {"views": 2, "cache": {"views": 2}}  # the average's views
    assert str(study.folder) not in json.dumps(record)
    assert len(record["cost"]["sessions"]) == 1
    assert record["cost"]["sessions"][0]["processor_seconds"] > 0


def test_metrics_come_from_the_logits_that_are_kept(screened):
    study, _ = screened
    records = study.module("records")
    results = study.folder / "results"
    record = records.read_record(results, "screen", "kd-seed0")
    judged = records.read_judged(results, record, "validation")
    assert records.scores_of(judged, record.data.classes) == record.metrics["validation"]
    card = json.loads((study.folder / "out/screen/kd-seed0/student/metrics.json").read_text())
    kept = record.metrics["validation"].balanced_accuracy
    assert kept == pytest.approx(card["validation"]["balanced_accuracy"]["value"])


def test_a_record_stands_for_its_run_where_out_is_gone(study, trained, capsys):
    shutil.rmtree(study.folder / "out")
    assert study.run("screen") == 0
    assert trained == []
    assert "screen/kd-seed0: recorded already; not trained again" in capsys.readouterr().err
    assert not (study.folder / "out").exists()


def _states(study: TinyStudy, capsys: Any, table: str = "screen") -> dict[str, str]:
    capsys.readouterr()
    assert study.run(table, "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    return dict(line.removeprefix(f"{table}/").split(": ") for line in lines)


def test_another_recipe_makes_a_record_stale(study, capsys):
    assert set(_states(study, capsys).values()) == {"recorded"}
    table = study.folder / "design/tables/screen.yaml"
    table.write_text(table.read_text().replace("{name: kd}", "{name: kd, temperature: 3.0}"))
    assert _states(study, capsys) == {
        "none-seed0": "recorded",
        "kd-seed0": "recorded of another recipe or other data",
    }
    # So does another recipe of a teacher, but not another number of threads or loaders.
    table = study.folder / "design/recipes/student.yaml"
    table.write_text(table.read_text().replace("precision: fp32", "precision: fp32, workers: 2"))
    teacher = study.folder / "design/recipes/teacher.yaml"
    teacher.write_text(teacher.read_text().replace("epochs: 1", "epochs: 2"))
    assert _states(study, capsys)["none-seed0"] == "recorded"


def test_other_images_make_a_record_stale(study, capsys):
    first, second = sorted((study.folder / "data").rglob("*.jpg"))[:2]
    assert first.read_bytes() != second.read_bytes()
    first.write_bytes(second.read_bytes())
    study.module("trainings")._HASHES.clear()  # of the same process
    assert set(_states(study, capsys).values()) == {"recorded of another recipe or other data"}


def test_teachers_are_shared_and_their_average_is_judged(study, trained):
    assert study.run("teachers") == 0
    assert trained == []
    one, two, both = (study.record("teachers", f"{n}-seed0") for n in ("one", "two", "both"))
    assert set(one["metrics"]) == {"validation", "test"}
    assert both["epochs"] == 0
    assert len(one["cost"]["sessions"]) == 1  # finding it done costs nothing
    assert both["network"]["params"] == one["network"]["params"] + two["network"]["params"]
    assert both["network"]["macs"] == 2 * (one["network"]["macs"] + two["network"]["macs"])


def test_a_stopped_table_goes_on(study, monkeypatch, capsys):
    begin = StageModule.on_train_start

    def stop(self: StageModule) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(StageModule, "on_train_start", stop)
    assert study.run("main", "--seeds", "0") == 130
    assert _states(study, capsys, "main")["none-seed0"] == "begun"
    monkeypatch.setattr(StageModule, "on_train_start", begin)
    assert study.run("main", "--only", "none", "--seeds", "0") == 0
    record = study.record("main", "none-seed0")
    assert set(record["metrics"]) == {"validation", "test"}
    assert len(record["cost"]["sessions"]) == 2


def test_a_row_that_fails_does_not_end_the_night(study, trained, capsys):
    assert study.run("labels", "--only", "nothing", "half") == 2
    err = capsys.readouterr().err
    assert (
        "labels/nothing-seed0 was not finished:\nerror: there are no pretrained weights at" in err
    )
    record = study.record("labels", "half-seed0")
    assert record["data"]["images"]["train"] < study.record("screen", "kd-seed0")["data"][
        "images"]["train"]  # fmt: skip
    # Its teacher saw the same half, for as long as the row says, and has a record of its own.
    run = record["teachers"][0]["run"]
    assert run.startswith("teachers/one-")
    assert run != "teachers/one-seed0"
    teacher = study.record("teachers", run.partition("/")[2])
    assert teacher["data"]["split_sha256"] == record["data"]["split_sha256"]
    assert teacher["epochs"] == 2


def test_a_run_that_another_table_recorded_is_copied(study, trained):
    assert study.run("main", "--only", "none", "--seeds", "0") == 0
    assert trained == ["supervised"]
    assert study.run("labels", "--only", "all") == 0
    assert trained == ["supervised"]
    copied, own = study.record("labels", "all-seed0"), study.record("main", "none-seed0")
    assert copied["same_as"] == "main/none-seed0"
    assert copied["metrics"] == own["metrics"]
    # A table that may not see the test part takes nothing of it.
    shutil.rmtree(study.folder / "results/screen")
    assert study.run("screen", "--only", "none") == 0
    assert trained == ["supervised"]
    assert set(study.record("screen", "none-seed0")["metrics"]) == {"validation"}
    with np.load(study.folder / "results/screen/none-seed0.npz") as arrays:
        assert {name.partition("_")[0] for name in arrays.files} == {"validation"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "error: there is no table 'nowhere'\n       known: "),
        (["main", "--only", "none", "ssd"], "error: the table main has no row 'ssd'\n"),
        (["main", "--data", "nowhere"], "error: there is no folder nowhere\n"),
    ],
)
def test_mistakes_are_told_in_two_lines(study, capsys, arguments, message):
    places = ["--design", str(study.folder / "design"), "--data", str(study.folder / "data")]
    code = study.module("run").main([*places, *arguments])
    assert code == 2
    assert message in capsys.readouterr().err


def test_a_wrong_key_of_a_table_is_named(study, capsys):
    table = study.folder / "design/tables/main.yaml"
    table.write_text(table.read_text().replace("teacher: one", "teachr: one"))
    assert study.run("main", "--dry-run") == 2
    assert "unknown key 'teachr'\n       did you mean 'teacher'?" in capsys.readouterr().err


def test_a_kept_teacher_teaches_without_being_trained(study, trained):
    """Its record is of what is kept, and without the folder of runs it is not trained again."""
    for row in ("one", "two"):
        assert study.run("teachers", "--only", row, "--keep") == 0
    kept = study.folder / "results/teachers/one-seed0/model.safetensors"
    assert study.record("teachers", "one-seed0")["network"]["weights_sha256"] == sha256_of(kept)
    shutil.rmtree(study.folder / "out")
    for file in (study.folder / "results/screen").glob("kd-*"):
        file.unlink()
    trained.clear()
    assert study.run("screen", "--only", "kd") == 0
    assert trained == ["student"]
    taught = study.record("screen", "kd-seed0")["teachers"]
    assert taught[0]["weights_sha256"] == sha256_of(kept)


def test_a_kept_teacher_of_another_recipe_does_not_teach(study, trained):
    assert study.run("teachers", "--only", "one", "--keep") == 0
    shutil.rmtree(study.folder / "out")
    recipe = study.folder / "design/recipes/teacher.yaml"
    recipe.write_text(recipe.read_text().replace("batch_size: 16", "batch_size: 8"))
    kept = sha256_of(study.folder / "results/teachers/one-seed0/model.safetensors")
    trained.clear()
    assert study.run("main", "--only", "at", "--seeds", "0") == 0
    assert trained == ["supervised", "student"]
    assert study.record("main", "at-seed0")["teachers"][0]["weights_sha256"] != kept


def test_what_is_kept_says_which_lesions_it_was_not_trained_on(study):
    """Without age, sex and body site, which no training needs."""
    assert study.run("teachers", "--only", "one", "--keep") == 0
    kept = study.folder / "results/teachers/one-seed0/split.csv"
    assert kept.read_text().startswith("image,label,group,part\n")
    trained = (study.folder / "out/teachers/one-seed0/split.csv").read_text()
    assert [row.split(",")[:4] for row in trained.splitlines()] == [
        row.split(",") for row in kept.read_text().splitlines()
    ]


def test_what_was_not_trained_here_cannot_be_kept(study, capsys):
    assert study.run("teachers", "--only", "one") == 0
    shutil.rmtree(study.folder / "out")
    assert study.run("teachers", "--only", "one", "--keep") == 2
    assert "holds no finished network" in capsys.readouterr().err


FURTHER = """\
title: Further
recipe: student
role: student
parts: [validation, test]
seeds: [0]
rows:
  still:
    says: goes on with none of screen, without a step that counts
    start: screen/none
    set: {student.fit.learning_rate: 1.0e-12}
"""


def test_a_row_goes_on_from_the_network_of_another(study, trained, capsys):
    (study.folder / "design/tables/further.yaml").write_text(FURTHER)
    assert study.run("further") == 0
    assert trained == ["supervised"]  # its own: the start is in OUT
    start, record = study.record("screen", "none-seed0"), study.record("further", "still-seed0")
    assert record["network"]["pretrained_sha256"] == start["network"]["weights_sha256"]
    assert record["network"]["weights_sha256"] != start["network"]["weights_sha256"]
    weights = (
        f"out/{run}-seed0/student/model.safetensors" for run in ("screen/none", "further/still")
    )
    before, after = (load_file(study.folder / file) for file in weights)
    learnt = [name for name in before if name.endswith("weight")]
    assert all(np.allclose(before[name], after[name], atol=1e-6) for name in learnt)

    shutil.rmtree(study.folder / "out")
    (study.folder / "results/further/still-seed0.json").unlink()
    trained.clear()
    assert study.run("further") == 0
    assert trained == ["supervised", "supervised"]  # the start first, of which there was the record
    again = study.record("further", "still-seed0")
    assert again["network"]["weights_sha256"] == record["network"]["weights_sha256"]

    recipe = study.folder / "design/recipes/student.yaml"
    recipe.write_text(recipe.read_text().replace("epochs: 1", "epochs: 2"))
    table = study.folder / "design/tables/further.yaml"
    table.write_text(FURTHER.replace("1.0e-12", "1.0e-12, student.fit.epochs: 1"))
    assert "still-seed0: recorded of another recipe" in _listed(study, capsys)


@pytest.mark.parametrize("known", [True, False])
def test_a_start_that_is_not_the_one_on_record_is_made_by_its_run(study, capsys, known):
    """Its run takes it up again, or trains it; where it is the one on record nothing is done."""
    (study.folder / "design/tables/further.yaml").write_text(FURTHER)
    if not known:
        file = study.folder / "results/screen/none-seed0.json"
        weights = study.record("screen", "none-seed0")["network"]["weights_sha256"]
        file.write_text(file.read_text().replace(weights, "0" * 64))
    capsys.readouterr()
    assert study.run("further") == 0
    made = f"screen/none-seed0: {study.folder / 'out/screen/none-seed0'}" in capsys.readouterr().err
    assert made != known


def test_a_row_goes_on_from_a_network_that_ships(study, trained, monkeypatch):
    """It is not trained again, and another student that ships is not taken for it."""
    (study.folder / "design/tables/further.yaml").write_text(FURTHER)
    for name, run in (("another", "screen/kd"), ("shipped", "screen/none")):
        student = study.folder / "students" / name
        shutil.copytree(study.folder / f"out/{run}-seed0/student", student)
        (student / "certificates").mkdir()
    shutil.rmtree(study.folder / "out")
    monkeypatch.setenv("EDGEKD_STUDENTS", str(study.folder / "students"))
    assert study.run("further") == 0
    assert trained == ["supervised"]
    start = study.record("screen", "none-seed0")["network"]["weights_sha256"]
    assert study.record("further", "still-seed0")["network"]["pretrained_sha256"] == start


BESIDE = """\
title: Beside
recipe: student
role: student
parts: [validation]
seeds: [0]
rows:
  half:
    says: taught by networks of two tables
    teacher: mixed
    set: {split.train_share: 0.5, method: {name: kd}}
"""


def test_networks_of_other_tables_are_averaged_and_teach(study, trained):
    (study.folder / "design/tables/beside.yaml").write_text(BESIDE)
    teachers = study.folder / "design/tables/teachers.yaml"
    row = '  mixed: {says: "a teacher and a student", of: [one, screen/none]}\n'
    teachers.write_text(teachers.read_text() + row)
    assert study.run("teachers", "--only", "one", "mixed") == 0
    names = [each["run"] for each in study.record("teachers", "mixed-seed0")["teachers"]]
    assert names == ["teachers/one-seed0", "screen/none-seed0"]
    trained.clear()
    assert study.run("beside") == 0
    assert trained[-1] == "student"


def _listed(study: TinyStudy, capsys: Any) -> str:
    capsys.readouterr()
    assert study.run("further", "--dry-run") == 0
    return str(capsys.readouterr().out)


def test_answers_to_the_same_photographs_fine_and_coarse(study, capsys):
    for file in shutil.copytree(study.folder / "data", study.folder / "coarse").rglob("*.jpg"):
        cv2.imwrite(str(file), np.full((32, 32, 3), 128, np.uint8))  # all look the same
    network = study.folder / "out/screen/none-seed0/student"
    words = [str(network), "--recipe", str(study.folder / "design/recipes/student.yaml")]
    words += ["--data", str(study.folder / "data"), "--coarse", str(study.folder / "coarse")]
    capsys.readouterr()
    assert study.module("sharpness").main(words) == 0
    _, _, *lines = capsys.readouterr().out.splitlines()
    fine, coarse = (line.strip("| ").split(" | ") for line in lines)
    assert (fine[1], coarse[1]) == ("fine", "coarse")
    metrics = study.record("screen", "none-seed0")["metrics"]["validation"]
    assert float(fine[4]) == pytest.approx(100 * metrics["balanced_accuracy"], abs=0.1)
    assert float(coarse[2]) in (0.0, 100.0)
    assert coarse[2] == coarse[3]  # one answer to all
    assert float(coarse[4]) == pytest.approx(100 / 7, abs=0.1)

    assert study.module("sharpness").main([*words, "--label", "scc"]) == 2
    assert "error: there is no class 'scc'" in capsys.readouterr().err
    next((study.folder / "coarse").rglob("*.jpg")).unlink()
    assert study.module("sharpness").main(words) == 2


def test_further_images_lie_beside_the_data(study, tmp_path):
    job = study.module("design").read_design().job("all-images", "kd-lite0", 0)
    folders = [tmp_path / "lesions", tmp_path / "weights", tmp_path / "out", tmp_path / "results"]
    place = study.module("trainings").Place(*folders)
    for each in (job, *job.teachers):
        data = place.recipe(each).data
        assert data["root"] == str(tmp_path / "lesions")
        assert data["training_root"] == str(tmp_path / "ham10000")
    alone = study.module("design").read_design().job("main", "kd-lite0", 0)
    assert "training_root" not in place.recipe(alone).data
