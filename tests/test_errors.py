from __future__ import annotations

import ast
from pathlib import Path

import pytest

from edgekd import errors
from edgekd.errors import EdgekdError, MissingDependencyError, reason_of

EXIT_CODES = {
    "EdgekdError": 1,
    "InputError": 2,
    "ImageError": 2,
    "ForkedError": 2,
    "MissingDependencyError": 3,
    "GateFailedError": 4,
    "DeviceUnreachableError": 5,
    "ArtefactError": 6,
}
STOPPED = "StoppedError"


def test_exit_codes() -> None:
    kinds = {name: getattr(errors, name) for name in errors.__all__ if name != STOPPED}
    codes = {name: kind.exit_code for name, kind in kinds.items() if isinstance(kind, type)}
    assert codes == EXIT_CODES


@pytest.mark.parametrize("name", sorted(set(EXIT_CODES) - {"MissingDependencyError"}))
def test_error_says_what_is_wrong_and_what_to_do(name: str) -> None:
    error = getattr(errors, name)("the file is red", "paint it")
    assert isinstance(error, EdgekdError)
    assert (error.message, error.hint, str(error)) == (
        "the file is red",
        "paint it",
        "the file is red",
    )
    assert getattr(errors, name)("nothing can be done").hint == ""


def test_base_class_itself_is_never_made() -> None:
    """Its exit code is none of the contract's."""
    package = Path(errors.__file__).parent
    made = [
        f"{file.relative_to(package)}:{node.lineno}"
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("EdgekdError")
    ]
    assert made == []


def test_an_image_error_is_an_input_error() -> None:
    assert issubclass(errors.ImageError, errors.InputError)
    assert not issubclass(errors.ArtefactError, errors.InputError)


def test_missing_dependency_names_the_pip_line() -> None:
    error = MissingDependencyError("onnxruntime", "onnx", "run an ONNX file")
    assert error.message == "onnxruntime is not installed; it is needed to run an ONNX file"
    assert error.hint == "pip install 'edgekd[onnx]'"
    assert (error.package, error.extra) == ("onnxruntime", "onnx")


def test_a_stopped_run_is_no_error_that_is_handled() -> None:
    """Whoever goes on after an error, as from trial to trial, ends with a signal."""
    error = errors.StoppedError("saved", 128 + 15)
    assert not isinstance(error, Exception)
    assert (error.message, error.exit_code) == ("saved", 143)


def test_the_reason_of_a_foreign_error_is_one_line() -> None:
    assert reason_of(ValueError("\n bad shape\n  at line 3")) == "bad shape"
    assert reason_of(RuntimeError()) == "RuntimeError"
