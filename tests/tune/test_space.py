"""Search spaces: domains, checks against the recipe, points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import searches

from edgekd.errors import InputError
from edgekd.recipe import load_recipe
from edgekd.resources import space_names
from edgekd.tune.space import Choice, Range, Width, changed, load_space, space_of

LR = searches.RATE


def refused(tmp_path: Path, raw: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        space_of(raw, searches.recipe_of(tmp_path), "the space")
    return caught.value


def test_every_shipped_space_fits_the_recipe_of_its_name() -> None:
    assert "demo" in space_names()
    for name in space_names():
        recipe = load_recipe(name)
        space = load_space(name, recipe)
        assert len(space.domains) >= 3


def test_the_demo_is_a_point_of_its_space() -> None:
    """With the keys of its method that it leaves out, which the search fills in."""
    recipe = load_recipe("demo")
    point = load_space("demo", recipe).point_of(
        {
            "image_size": recipe.image_size,
            "method": recipe.method,
            "student": {
                "fit": {"learning_rate": 4e-3, "class_sampling": "sqrt"},
                "model": {"options": recipe.student.model.options},
            },
        }
    )
    assert point is not None
    assert point["student.model.options.channels"] == 1.0


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("student.fit.lerning_rate", "learning_rate"),
        ("studnet.fit.epochs", "'student'"),
        ("imagesize", "'image_size'"),
        ("augment.zoommm", "zoom"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(tmp_path: Path, key: str, words: str) -> None:
    error = refused(tmp_path, {key: {"choice": [1, 2]}})
    assert key.rpartition(".")[2] in error.message
    assert words in error.hint


@pytest.mark.parametrize(
    "key", ["split.seed", "data.images", "seed", "teacher.fit.epochs", "trainer.precision", "task",
            "policy", "method.name", "student.checkpoint"],
)  # fmt: skip
def test_what_trials_must_share_cannot_be_searched(tmp_path: Path, key: str) -> None:
    error = refused(tmp_path, {key: {"choice": ["1", "2"]}})
    assert "cannot be searched" in error.message


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        ({"choice": [1]}, "two different values"),
        ({"choice": [1, 1.0]}, "two different values"),
        ({"low": 1, "high": 1}, "low must be less"),
        ({"low": 0, "high": 1.0, "log": True}, "positive low"),
        ({"low": 1, "high": 4, "step": 0.5}, "whole step"),
        ({"low": 1, "high": 4, "step": 9}, "step must be"),
        ({"low": 1}, "high"),
        ({"low": 1, "high": 2, "lgo": True}, "lgo"),
        ({"width": [8, 16], "factors": [1.0]}, "two different widths"),
        ({"width": [8, 16], "factors": [1.0, 1.01]}, "two different widths"),
        ({"width": [8, 0], "factors": [1.0, 2.0]}, "positive"),
        ({"width": [8], "factors": []}, "positive|two different"),
        ({"values": [1, 2]}, "no domain"),
        ([1, 2], "no domain"),
    ],
)
def test_a_wrong_domain_is_refused(tmp_path: Path, domain: Any, words: str) -> None:
    error = refused(tmp_path, {LR: domain})
    assert any(word in error.message + error.hint for word in words.split("|"))
    assert LR in error.message


@pytest.mark.parametrize(
    ("key", "domain"),
    [
        ("image_size", {"choice": [32, 8]}),
        (LR, {"low": 0.0, "high": 0.1}),
        ("student.fit.class_weights", {"choice": ["sqrt", "cube"]}),
        ("student.fit.epochs", {"low": 1.5, "high": 2.5}),
    ],
)
def test_a_value_that_the_recipe_does_not_take_is_refused(
    tmp_path: Path, key: str, domain: Any
) -> None:
    assert "the space" in refused(tmp_path, {key: domain}).message


@pytest.mark.parametrize("raw", [None, [], {}, "text"])
def test_a_space_without_keys_is_refused(tmp_path: Path, raw: Any) -> None:
    assert "not a mapping" in refused(tmp_path, raw).message


def test_files_are_read_as_recipes_are(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(f"{LR}: {{low: 1e-3, high: 1e-2}}\n")  # which YAML 1.1 reads as text
    space = load_space(str(file), searches.recipe_of(tmp_path))
    assert space.domains[LR] == Range(low=1e-3, high=1e-2)
    with pytest.raises(InputError, match="no search space"):
        load_space(str(tmp_path / "other.yaml"), searches.recipe_of(tmp_path))


def test_widths_are_scaled_and_rounded() -> None:
    widths = Width(width=(16, 32, 64), factors=(0.3, 1.0), multiple=8)
    assert widths.options == {0.3: [8, 8, 16], 1.0: [16, 32, 64]}  # 4.8, 9.6, 19.2
    assert Width(width=16, factors=(0.5, 1.0)).options == {0.5: 8, 1.0: 16}


def test_points_go_to_the_study_and_back(tmp_path: Path) -> None:
    recipe = searches.recipe_of(tmp_path)
    space = space_of(searches.SPACE, recipe, "the space")
    stored = {searches.WIDTHS: 2.0, LR: 2e-3, "method.weight": 0.5}
    values = space.values_of(stored)
    assert values[searches.WIDTHS] == [8, 8, 16, 16]
    other = changed(recipe, values, "it")
    assert other.student.model.options["channels"] == [8, 8, 16, 16]
    assert other.student.fit.learning_rate == 2e-3
    assert other.student.fit.epochs == recipe.student.fit.epochs
    import msgspec

    assert space.point_of(msgspec.to_builtins(other)) == pytest.approx(stored)


@pytest.mark.parametrize(
    ("domain", "value", "stored"),
    [
        (Range(low=1, high=5), 3, 3),
        (Range(low=1, high=5), 3.5, None),
        (Range(low=1.0, high=5.0, step=0.5), 3.5, 3.5),
        (Range(low=1.0, high=5.0, step=0.5), 3.7, None),
        (Range(low=0.1, high=0.7, step=0.1), 0.3, 0.3),
        (Range(low=1, high=5), 6, None),
        (Range(low=1, high=5), "global", None),
        (Range(low=1, high=5), None, None),
        (Range(low=0, high=5), True, None),
        (Choice(choice=("a", "b")), "b", "b"),
        (Choice(choice=([1, 2], [3, 4])), [3, 4], "[3, 4]"),
        (Choice(choice=(1, 2)), 1.0, 1),
        (Choice(choice=(True, False)), True, True),
        (Choice(choice=("a", "b")), "c", None),
        (Width(width=(4, 8), factors=(1.0, 2.0)), [8, 16], 2.0),
        (Width(width=(4, 8), factors=(1.0, 2.0)), [8, 17], None),
    ],
)
def test_a_value_outside_of_a_domain_has_nothing_to_store(
    domain: Any, value: Any, stored: Any
) -> None:
    assert domain.stored(value) == stored
