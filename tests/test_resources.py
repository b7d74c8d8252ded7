from __future__ import annotations

from edgekd.resources import policy_files, recipe_file, recipe_names, target_folders


def test_recipes_are_found_by_name() -> None:
    assert {"demo", "ham10000-kd"} <= set(recipe_names())
    for name in recipe_names():
        file = recipe_file(name)
        assert file is not None
        assert file.is_file()


def test_recipe_that_is_not_there_or_no_name() -> None:
    assert recipe_file("absent") is None
    assert recipe_file("") is None


def test_policies_are_found() -> None:
    assert {"dermoscopy", "fundus", "none"} <= set(policy_files())
    assert all(file.is_file() for file in policy_files().values())


def test_targets_are_found() -> None:
    assert {"android", "cpu", "jetson", "rpi"} <= {folder.name for folder in target_folders()}
    assert all((folder / "target.toml").is_file() for folder in target_folders())
