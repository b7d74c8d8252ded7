from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st

from edgekd.data import load_dataset
from edgekd.data.subclasses import LabelSection
from edgekd.distill.methods import resolve_method
from edgekd.errors import InputError
from edgekd.recipe import FitSection, Recipe, convert, fingerprint, load_recipe
from edgekd.resources import recipe_names

yaml = pytest.importorskip("yaml")

MINIMAL = "name: mine\ndata: {source: folder, root: photos}\n"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    file = tmp_path / "mine.yaml"
    file.write_text(MINIMAL, encoding="utf-8")
    return file


def refusal(file: Path | str, *overrides: str) -> InputError:
    with pytest.raises(InputError) as caught:
        load_recipe(str(file), list(overrides))
    assert caught.value.exit_code == 2
    assert caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint
    return caught.value


def test_defaults(recipe: Path) -> None:
    found = load_recipe(str(recipe))
    assert (found.name, found.image_size, found.seed, found.task) == (
        "mine", 224, 0, "classification",
    )  # fmt: skip
    assert found.data == {"source": "folder", "root": "photos"}
    assert found.method == {"name": "kd"}
    assert found.student is None
    assert (found.split.validation, found.split.test) == (0.15, 0.2)


@pytest.mark.parametrize("name", recipe_names())
def test_shipped_recipe_loads(name: str) -> None:
    found = load_recipe(name)
    assert found.name == name
    assert found.student is not None
    kind, _ = resolve_method(found.method)
    assert found.teacher is not None or not kind.needs_teacher


def test_there_are_shipped_recipes() -> None:
    assert {"demo", "ham10000-kd"} <= set(recipe_names())


def test_file_goes_before_a_shipped_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "demo").write_text(MINIMAL, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_recipe("demo").name == "mine"


def test_missing_file_lists_the_shipped_recipes(tmp_path: Path) -> None:
    for absent in (tmp_path / "absent.yaml", tmp_path):
        error = refusal(absent)
        assert "there is no recipe" in error.message
        assert all(name in error.hint for name in recipe_names())


@pytest.mark.parametrize(
    ("override", "wrong", "right"),
    [
        ("imagesize=64", "imagesize", "image_size"),
        ("studnet.fit.epochs=1", "studnet", "student"),
        ("split.tset=0.1", "split.tset", "test"),
        ("student.modell.arch=x", "student.modell", "model"),
        ("student.fit.epoch=3", "student.fit.epoch", "epochs"),
        ("teacher.model.pretraind=none", "teacher.model.pretraind", "pretrained"),
        ("trainer.thread=1", "trainer.thread", "threads"),
    ],
)
def test_unknown_key_suggests_the_right_one(
    recipe: Path, override: str, wrong: str, right: str
) -> None:
    error = refusal(recipe, override)
    assert f"unknown key {wrong!r}" in error.message
    assert error.hint == f"did you mean {right!r}?"


def test_unknown_key_that_is_near_nothing_lists_the_known(recipe: Path) -> None:
    assert (
        refusal(recipe, "split.zzzzzz=1").hint
        == "known: validation, test, train_share, seed, even_train_only, folds, fold"
    )


@pytest.mark.parametrize(
    ("override", "place"),
    [
        ("image_size=8", "image_size"),
        ("image_size=large", "image_size"),
        ("split.test=1.0", "split.test"),
        ("split.validation=-0.1", "split.validation"),
        ("student.fit.epochs=0", "student.fit.epochs"),
        ("student.fit.learning_rate=0", "student.fit.learning_rate"),
        ("student.fit.learning_rate=.nan", "student.fit.learning_rate"),
        ("seed=99999999999999999999", "seed"),
        ("student.fit.class_weights=half", "student.fit.class_weights"),
        ("trainer.precision=int8", "trainer.precision"),
        ("task=segmentation", "task"),
        ("split=3", "split"),
        ("split=", "split"),
        ("student.fit=[1]", "student.fit"),
        ("name=[a]", "name"),
        ("seed=-1", "seed"),
        ("seed=4294967296", "seed"),
        ("split.seed=-1", "split.seed"),
        ("student.fit.learning_rate=.inf", "student.fit.learning_rate"),
        ("student.fit.weight_decay=inf", "student.fit.weight_decay"),
        ("method={name: kd, temperature: .inf}", "method.temperature"),
        ("student.model={arch: a, mean: [0.5, .nan, 0.5]}", "student.model.mean[1]"),
        ("student.model={arch: a, std: [0.5, 0, 0.5]}", "student.model.std[1]"),
    ],
)
def test_wrong_value_is_placed(recipe: Path, override: str, place: str) -> None:
    assert f"(at {place})" in refusal(recipe, override).message


def test_a_value_that_holds_itself(recipe: Path) -> None:
    error = refusal(recipe, "student.model={arch: a, options: &own {own: *own}}")
    assert "a value holds itself" in error.message


def test_missing_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("name: x\n", encoding="utf-8")
    assert "`data`" in refusal(tmp_path / "r.yaml").message


def test_override_of_nested_keys_makes_their_sections(recipe: Path) -> None:
    found = load_recipe(
        str(recipe),
        [
            "student.model.arch=resnet10t",
            "student.model.options.channels=[8, 16, 32, 64]",
            "student.fit.epochs=3",
            "data.root=a=b",
            "split.seed = 4",
        ],
    )
    assert found.student is not None
    assert found.student.model is not None
    assert found.student.model.arch == "resnet10t"
    assert found.student.model.options == {"channels": [8, 16, 32, 64]}
    assert found.student.fit.epochs == 3
    assert found.data["root"] == "a=b"
    assert found.split.seed == 4


def test_overrides_are_applied_in_order(recipe: Path) -> None:
    found = load_recipe(str(recipe), ["seed=1", "seed=2", "split={test: 0.3}", "split.seed=5"])
    assert (found.seed, found.split.test, found.split.seed) == (2, 0.3, 5)


@pytest.mark.parametrize("text", ["3e-3", "3.0e-3", "0.003", '"3e-3"'])
def test_number_in_any_spelling(recipe: Path, text: str) -> None:
    found = load_recipe(str(recipe), [f"student.fit.learning_rate={text}"])
    assert found.student is not None
    assert found.student.fit.learning_rate == 3e-3


@pytest.mark.parametrize("override", ["seed", "", "student.fit.epochs"])
def test_override_without_a_value(recipe: Path, override: str) -> None:
    error = refusal(recipe, override)
    assert "is not of the form section.key=value" in error.message
    assert "--set" in error.hint


def test_override_into_what_is_no_section(recipe: Path) -> None:
    assert "'name' in 'name.first=1' is not a section" in refusal(recipe, "name.first=1").message


@pytest.mark.parametrize(
    "text",
    [
        "name: [", "a: b: c", "\tname: x", "name: 2024-99-99", "seed: 0x_", "seed: !!int ''",
        "name: !!timestamp noon", "name: !!python/name:os.system", "a: *b", "[" * 5000,
    ],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_bad_yaml(recipe: Path, text: str) -> None:
    recipe.write_text(text, encoding="utf-8")
    assert "is not YAML" in refusal(recipe).message


@pytest.mark.parametrize(
    "text",
    [
        "name: a\nname: b\n",
        "data: {source: csv, source: folder}\n",
        "data:\n  classes: [a, b]\n  file: x\n  classes: [b, a]\n",
        "base: &base {a: 1}\nmore:\n  <<: *base\n  b: 1\n  b: 2\n",
    ],
)
def test_a_key_that_is_there_twice(recipe: Path, text: str) -> None:
    recipe.write_text(text, encoding="utf-8")
    assert "is there twice" in refusal(recipe).message


def test_what_is_merged_may_be_overridden(recipe: Path) -> None:
    text = "name: r\ndata: &one\n  a: 1\nmethod:\n  <<: *one\n  a: 2\n"
    recipe.write_text(text, encoding="utf-8")
    assert load_recipe(str(recipe)).method["a"] == 2


@pytest.mark.parametrize("override", ["name=[", "seed=0x_", "name=2024-99-99"])
def test_bad_yaml_in_an_override(recipe: Path, override: str) -> None:
    assert f"the value of {override!r} is not YAML" in refusal(recipe, override).message


@pytest.mark.parametrize("content", [b"PK\x03\x04\xff\xfe\x80", b"\x00\x01\x02", b"\xff" * 50])
def test_file_that_is_no_text(recipe: Path, content: bytes) -> None:
    recipe.write_bytes(content)
    assert "is not YAML" in refusal(recipe).message


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "text", "3"])
def test_yaml_that_is_no_mapping(recipe: Path, text: str) -> None:
    recipe.write_text(text, encoding="utf-8")
    assert "is not a mapping" in refusal(recipe).message


def test_recipe_is_immutable(recipe: Path) -> None:
    found: Any = load_recipe(str(recipe))
    with pytest.raises(AttributeError):
        found.seed = 3


@pytest.mark.parametrize(
    "value", ["[no, yes]", "[0, 1]", "[1.5, 2]", "[2020-01-01, x]", "[x, null]", "[x, ~]"]
)
@pytest.mark.parametrize(
    "override", ["data={{source: csv, file: x, classes: {}}}", "data.merge={{made: {}}}"]
)
def test_words_that_yaml_takes_for_something_else(recipe: Path, override: str, value: str) -> None:
    loaded = load_recipe(str(recipe), [f"data.root={recipe.parent}", override.format(value)])
    (recipe.parent / "a").mkdir()
    (recipe.parent / "b").mkdir()
    for name in "ab":
        (recipe.parent / name / "x.png").touch()
    with pytest.raises(InputError, match="Expected `str`") as caught:
        load_dataset(loaded.data)
    assert "put quotes around it" in caught.value.hint


def test_keys_that_yaml_takes_for_something_else() -> None:
    with pytest.raises(InputError, match=r"\(at a key of merge\)") as caught:
        convert({"merge": {False: ["a"], True: ["b"]}}, LabelSection, "here")
    assert "put quotes around it" in caught.value.hint


def known_keys(kind: Any = Recipe) -> list[str]:
    return [field.name for field in msgspec.structs.fields(kind)]


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
    | st.sampled_from(["3e-3", "auto", "classification", "none", "0.1"])
)  # fmt: skip
NESTED_KEYS = st.sampled_from([*known_keys(FitSection), "model", "fit", "arch", "test", "x"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NESTED_KEYS, inner, max_size=3),
    max_leaves=6,
)
RECIPES = st.dictionaries(st.sampled_from([*known_keys(), "x"]) | st.integers(), VALUES, max_size=5)


@fuzz(300)
@given(raw=RECIPES)
def test_any_mapping_is_a_recipe_or_an_input_error(raw: dict[Any, Any]) -> None:
    base = {"name": "x", "data": {"source": "folder"}}
    for candidate in (raw, base | raw):
        try:
            found = convert(candidate, Recipe, "the recipe")
        except InputError:
            continue
        assert isinstance(found, Recipe)
        assert fingerprint(found) == fingerprint(found)


@fuzz(100)
@given(text=st.text(max_size=40))
def test_any_override_is_taken_or_an_input_error(recipe: Path, text: str) -> None:
    for override in (text, f"data.x={text}", f"{text}=1"):
        try:
            found = load_recipe(str(recipe), [override])
        except InputError:
            continue
        assert isinstance(found, Recipe)


def test_a_wrong_task_comes_with_the_nearest_one(recipe: Path) -> None:
    error = refusal(recipe, "task=classificaton")
    assert "there is no task 'classificaton' (at task)" in error.message
    assert "did you mean 'classification'?" in error.hint
