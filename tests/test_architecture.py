"""Rules of the package's structure, read from its syntax trees.

* A module whose name begins with an underscore is imported only from within its own folder.
* No room knows a task or a backend by name: a string equal to one stands in its home and in its
  registry, and nowhere else.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

import pytest

from edgekd.extensions.backends import BACKENDS
from edgekd.extensions.tasks import TASKS

PACKAGE = Path(__file__).resolve().parent.parent / "edgekd"

HOMES: Mapping[str, Sequence[str]] = {
    **{
        name: (
            "edgekd/extensions/backends.py",
            "edgekd/extensions/teacher_engines.py",
            f"edgekd/extensions/engines/{name}.py",
            f"edgekd/distill/teachers/engines/{name}.py",
            f"edgekd/lower/backends/{name}.py",
            f"edgekd/lower/backends/_{name}_*.py",
            f"edgekd/lower/backends/{name}/*.py",
            f"edgekd/runtime/sessions/{name}.py",
            f"edgekd/runtime/sessions/_{name}_*.py",
            f"edgekd/runtime/sessions/{name}/*.py",
            f"edgekd/doctor/{name}/*.py",
        )
        for name in BACKENDS.built_in
    },
    **{
        name: ("edgekd/extensions/tasks.py", f"edgekd/tasks/{name}/*.py") for name in TASKS.built_in
    },
}
"""Where the name of a task or of a backend may be written."""

PACKAGES_OF_THAT_NAME = {
    ("edgekd/extensions/engines/openvino.py", "onnx"),
    ("edgekd/extensions/engines/tensorrt.py", "onnx"),
    ("edgekd/lower/backends/openvino.py", "onnx"),
    ("edgekd/lower/backends/tensorrt/lowering.py", "onnx"),
    ("edgekd/models/foreign/onnx_files.py", "onnx"),
}
"""Strings that are the package `onnx`, not the backend."""


def private_imports(package: Path) -> Iterator[str]:
    """Imports of private modules from outside the folder that they stand in."""
    for file in sorted(package.rglob("*.py")):
        for module in imported_modules(file):
            parts = module.split(".")
            private = [place for place, part in enumerate(parts) if is_private(part)]
            if not private or parts[0] != package.name:
                continue
            home = package.parent.joinpath(*parts[: private[0]])
            if not file.is_relative_to(home):
                yield f"{file.relative_to(package.parent)} imports {module}"


def imported_modules(file: Path) -> Iterator[str]:
    """Names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            # `from edgekd.runtime import _private`: of what is imported only modules count.
            for alias in node.names:
                place = file_of(f"{node.module}.{alias.name}")
                if place.with_suffix(".py").is_file() or place.is_dir():
                    yield f"{node.module}.{alias.name}"


def file_of(module: str) -> Path:
    return PACKAGE.parent.joinpath(*module.split("."))


def is_private(part: str) -> bool:
    return part.startswith("_") and not part.startswith("__")


def names_outside_their_homes(
    package: Path, homes: Mapping[str, Sequence[str]] = HOMES
) -> Iterator[str]:
    """Strings that are the name of a task or a backend where no room may know it."""
    for file in sorted(package.rglob("*.py")):
        place = file.relative_to(package.parent).as_posix()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
                continue
            name = node.value
            if name not in homes or (place, name) in PACKAGES_OF_THAT_NAME:
                continue
            if not any(fnmatch(place, home) for home in homes[name]):
                yield f"{place}:{node.lineno}: {name!r}"


def test_private_modules_stay_in_their_rooms() -> None:
    assert list(private_imports(PACKAGE)) == []


def test_no_room_knows_a_task_or_a_backend_by_name() -> None:
    assert list(names_outside_their_homes(PACKAGE)) == []


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A package with one fault of each kind."""
    package = tmp_path / "edgekd"
    for folder in ("bench", "lower/backends", "tasks/classification"):
        (package / folder).mkdir(parents=True)
    (package / "bench/rows.py").write_text(
        "from edgekd.lower.backends._onnx_half import half_model\n"
        "def order(task, backend):\n"
        '    """Whether it is onnx, which a docstring may say."""\n'
        '    if task == "classification":\n'
        "        return 1\n"
        "    match backend:\n"
        "        case 'tflite':\n"
        "            return 2\n"
    )
    (package / "lower/backends/onnx.py").write_text(
        'from edgekd.lower.backends._onnx_half import half_model\nNAME = "onnx"\n'
    )
    (package / "tasks/classification/__init__.py").write_text('NAME = "classification"\n')
    return package


def test_planted_private_import_is_found(planted: Path) -> None:
    assert list(private_imports(planted)) == [
        "edgekd/bench/rows.py imports edgekd.lower.backends._onnx_half"
    ]


def test_planted_names_are_found(planted: Path) -> None:
    assert list(names_outside_their_homes(planted)) == [
        "edgekd/bench/rows.py:4: 'classification'",
        "edgekd/bench/rows.py:7: 'tflite'",
    ]


def test_every_home_is_there() -> None:
    """A home that moved would let its old place pass for ever."""
    for name, homes in HOMES.items():
        assert any(fnmatch(str(file.relative_to(PACKAGE.parent)), home)
                   for home in homes for file in PACKAGE.rglob("*.py")), name  # fmt: skip
    files = {file.relative_to(PACKAGE.parent).as_posix() for file in PACKAGE.rglob("*.py")}
    assert {place for place, _ in PACKAGES_OF_THAT_NAME} <= files
