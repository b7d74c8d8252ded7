"""Runs that are taught by several teachers, or by several views."""

from __future__ import annotations

import json

import msgspec
import pytest
from small_runs import SSD_KD, record_stages, run, same, weights

from edgekd.distill.comparison.compare import CompareRequest, compare
from edgekd.distill.samples.run_samples import load_samples
from edgekd.distill.teachers.group import gather_teachers
from edgekd.errors import InputError
from edgekd.models import load_checkpoint, read_card
from edgekd.recipe import TeacherSection

FIT = {"epochs": 1, "batch_size": 16, "learning_rate": 1e-3}


@pytest.fixture
def sections(recipe, teacher, taught):
    """A trained teacher, and one to train."""
    model = msgspec.to_builtins(recipe().teacher.model)
    return [{"checkpoint": str(teacher)}, {"model": model, "fit": FIT}]


def test_a_student_of_two_teachers(recipe, sections, tmp_path, monkeypatch):
    trained = record_stages(monkeypatch)
    both = recipe(teachers=sections, teacher={"weights": "fitted"}, seed=3)
    lines = run(both, tmp_path)
    assert trained == ["supervised", "student"]
    member = tmp_path / "teachers" / "2"
    card = read_card(tmp_path / "student")
    members = card.training.teaching["members"]
    assert [each["sha256"] for each in members] == [
        read_card(sections[0]["checkpoint"]).weights_sha256, read_card(member).weights_sha256,
    ]  # fmt: skip
    assert read_card(member).training.seed == 4  # equal networks of equal seeds would be equal
    assert sum(each["weight"] for each in members) == pytest.approx(1, abs=1e-3)
    assert sum(line.startswith("teachers: ") for line in lines) == 1
    assert card.training.teacher not in [each["sha256"] for each in members]
    metrics = json.loads((tmp_path / "student" / "metrics.json").read_text())
    alone = json.loads((member / "metrics.json").read_text())
    assert set(metrics["teacher"]) == {"validation", "test"}
    assert metrics["teacher"]["test"]["ece"] != alone["test"]["ece"]

    # A finished run is reused; other weights make another student.
    assert sum("reused" in line for line in run(both, tmp_path)) == 2
    before = weights(tmp_path)
    run(recipe(teachers=sections, teacher={"weights": [1, 9]}, seed=3), tmp_path, force=True)
    assert trained == ["supervised", "student", "student"]
    assert not same(before, weights(tmp_path))


def test_weights_of_one_teacher_alone_give_its_student(recipe, taught, sections, tmp_path):
    run(taught(), tmp_path / "single")
    run(recipe(teachers=sections, teacher={"weights": [1, 0], "average": "logits"}),
        tmp_path / "several")  # fmt: skip
    assert same(weights(tmp_path / "single"), weights(tmp_path / "several"))


@pytest.mark.parametrize("how", [{"views": 4}, {"precision": "bf16"}])
def test_how_the_teacher_is_run_is_part_of_the_students_key(recipe, taught, teacher, tmp_path, how):
    run(taught(), tmp_path)
    before = weights(tmp_path)
    section = {"checkpoint": str(teacher), **how}
    with pytest.raises(InputError, match="finished run of another recipe: "):
        run(recipe(teacher=section), tmp_path)
    lines = run(recipe(teacher=section), tmp_path, force=True)
    assert not any("reused" in line for line in lines)
    assert not same(before, weights(tmp_path))
    assert read_card(tmp_path / "student").training.teaching == how
    assert any("reused" in line for line in run(recipe(teacher=section), tmp_path))


def test_how_a_teacher_is_run_does_not_train_it_again(recipe, tmp_path, monkeypatch):
    trained = record_stages(monkeypatch)
    run(recipe(), tmp_path)
    section = msgspec.to_builtins(recipe().teacher) | {"precision": "bf16"}
    run(recipe(teacher=section), tmp_path, force=True)
    assert trained == ["supervised", "student", "student"]


def test_each_teacher_is_refused_for_another_split(recipe, sections, tmp_path):
    moved = {"validation": 0.25, "test": 0.2, "seed": 5}
    with pytest.raises(InputError, match="another split"):
        run(recipe(teachers=sections[::-1], teacher={}, split=moved), tmp_path)
    assert not (tmp_path / "student").exists()


@pytest.mark.parametrize("method", [{"name": "dkd"}, SSD_KD])
def test_a_method_without_several_teachers_takes_the_one(taught, tmp_path, method):
    run(taught(method=method), tmp_path)
    assert read_card(tmp_path / "student").training.teaching == {}


def test_compared_methods_share_the_teachers_and_their_weights(recipe, sections, tmp_path):
    teacher = {"weights": "fitted", "cache": {"views": 1}}
    both = [
        recipe(name=name, teachers=sections, teacher=teacher, method={"name": name})
        for name in ("kd", "dkd")
    ]
    found = compare(CompareRequest(both, [0], tmp_path))
    assert found.teacher
    assert (tmp_path / "teachers" / "2" / "model.json").is_file()
    taught_by = [
        read_card(tmp_path / name / "seed-0" / "student").training.teaching["members"]
        for name in ("kd", "dkd")
    ]
    assert taught_by[0] == taught_by[1]
    assert len(taught_by[0]) == 2
    again = recipe(name="kd", teachers=sections, teacher=teacher, method={"name": "kd"})
    lines: list[str] = []
    compare(CompareRequest([again], [0], tmp_path, lines.append))
    assert sum("reused" in line for line in lines) == 3  # a teacher and two students


@pytest.mark.parametrize("views", [1, 2])
def test_teachers_are_measured_on_the_parts_of_the_run_alone(recipe, teacher, views):
    samples = load_samples(recipe())
    teachers = gather_teachers([load_checkpoint(teacher)], TeacherSection(views=views), samples)
    assert set(teachers.metrics(samples, ("validation",))) == {"validation"}
    assert set(teachers.metrics(samples, ("validation", "test"))) == {"validation", "test"}
