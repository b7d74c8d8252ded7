"""tests/ mirrors edgekd/: each module that does something has a test file of its name.

`edgekd/a/b.py` is tested by `tests/a/test_b.py`, or `tests/a/test_…_b.py` where the name alone
would stand twice. A package's `__init__.py` is tested by `test_<package>.py` in its own folder.
"""

from __future__ import annotations

import ast
from pathlib import Path

from edgekd.extensions.backends import loadable_backends

REPOSITORY = Path(__file__).resolve().parent.parent
EXCEPTIONS = {
    "__main__.py": "calls `edgekd.cli.main`: every test that starts `python -m edgekd` runs it",
}
"""Modules without a test file of their name: why not. A folder stands for all that is in it."""


def has_code(file: Path) -> bool:
    """Whether a module defines a function or a method, rather than data and names alone."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree))


def is_tested(module: Path, tests: Path) -> bool:
    """Whether a module, by its path below edgekd/, has a test file in the mirrored folder."""
    folder = tests / module.parent
    name = module.parent.name if module.stem == "__init__" else module.stem.strip("_")
    return any(folder.glob(f"test_{name}.py")) or any(folder.glob(f"test_*_{name}.py"))


def untested(edgekd: Path, tests: Path) -> list[str]:
    """Modules with code and without a test file, by their paths below edgekd/."""
    modules = sorted(file.relative_to(edgekd) for file in edgekd.rglob("*.py"))
    return [
        module.as_posix()
        for module in modules
        if has_code(edgekd / module) and not is_tested(module, tests)
        if not any(module.as_posix().startswith(exception) for exception in EXCEPTIONS)
    ]


def test_every_module_has_its_test_file() -> None:
    """`python tests/test_mirror.py` lists those that have none, one a line."""
    assert untested(REPOSITORY / "edgekd", REPOSITORY / "tests") == []


def test_exceptions_are_needed() -> None:
    for exception in EXCEPTIONS:
        assert (REPOSITORY / "edgekd" / exception).exists(), exception


def test_a_module_without_a_test_file_is_noticed(tmp_path: Path) -> None:
    source, tests = tmp_path / "edgekd", tmp_path / "tests"
    for name in ("a/b.py", "a/_c.py", "a/data.py", "a/d/__init__.py"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("X = 1\n" if "data" in name else "def f(): ...\n")
    (tests / "a/d").mkdir(parents=True)
    assert untested(source, tests) == ["a/_c.py", "a/b.py", "a/d/__init__.py"]
    for name in ("a/test_b.py", "a/test_the_c.py", "a/d/test_d.py"):
        (tests / name).touch()
    assert untested(source, tests) == []


def searched_folders(tests: Path) -> set[Path]:
    """Folders that pytest puts on the path: those of test files that are in no package."""
    folders = {file.parent for file in tests.rglob("*.py")}
    return {folder for folder in folders if not (folder / "__init__.py").exists()}


def test_no_folder_of_tests_is_imported_in_an_engines_place() -> None:
    """`tests/doctor/tensorrt` would be a namespace package `tensorrt` if tests/doctor were none."""
    packages = {package for each in loadable_backends() for package in each.engine.packages}
    assert "tensorrt" in packages
    searched = searched_folders(REPOSITORY / "tests")
    taken = [folder / name for folder in searched for name in packages if (folder / name).exists()]
    assert taken == []


if __name__ == "__main__":
    print(*untested(REPOSITORY / "edgekd", REPOSITORY / "tests"), sep="\n")
