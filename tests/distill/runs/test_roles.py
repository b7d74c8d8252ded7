"""The roles of a recipe: sections, networks and folders."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from small_runs import train_once

from edgekd.distill.runs.roles import (
    model_to_train,
    models_of,
    role_section,
    teacher_folders,
    teacher_recipes,
    trained_teachers,
)
from edgekd.errors import InputError


@pytest.fixture
def two(recipe, tmp_path):
    """A recipe of two teachers, the second of which is there already."""
    train_once(recipe, tmp_path / "there")
    model = msgspec.to_builtins(recipe().teacher.model)
    teachers = [{"model": model}, {"checkpoint": str(tmp_path / "there")}]
    return recipe(teacher={}, teachers=teachers)


def test_each_of_several_teachers_has_a_recipe_a_seed_and_a_folder(two, tmp_path):
    recipes = teacher_recipes(two)
    assert [each.seed for each in recipes] == [0, 1]
    assert [each.teacher.checkpoint for each in recipes] == [None, str(tmp_path / "there")]
    assert teacher_folders(two, Path("out")) == [Path("out/teachers/1"), tmp_path / "there"]
    assert trained_teachers(two, Path("out")) == [Path("out/teachers/1")]


def test_the_networks_that_see_the_images(two):
    alone, student_first = models_of(two, with_teacher=False), models_of(two, with_teacher=True)
    assert alone == [two.student.model]
    assert [model.options["channels"] for model in student_first] == [
        [4, 4, 8, 8], [4, 8, 8, 16], [4, 4, 8, 8],
    ]  # fmt: skip


def test_one_teacher_lies_beside_the_student(recipe):
    assert teacher_folders(recipe(), Path("out")) == [Path("out/teacher")]
    assert teacher_recipes(recipe()) == (recipe(),)


def test_a_role_that_is_not_there_and_one_without_a_network(recipe, tmp_path):
    with pytest.raises(InputError, match="the recipe tiny has no teacher to train") as error:
        role_section(recipe(teacher=None), "teacher")
    assert "add `teacher" in error.value.hint
    with pytest.raises(InputError, match="has a checkpoint but no model to train"):
        model_to_train(recipe(teacher={"checkpoint": str(tmp_path)}), "teacher")
