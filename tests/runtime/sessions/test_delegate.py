"""Delegates of TensorFlow Lite: loading one, and how much of the graph it takes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import pytest

from edgekd.errors import DeviceUnreachableError
from edgekd.runtime.sessions import open_session
from sessions.small_models import images

SOURCE = Path(__file__).with_name("delegate.c")
Maker = Callable[..., str]


@pytest.fixture(scope="module")
def delegate(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    """Path of a delegate that takes that many nodes (-1: all)."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler: apt install gcc")
    folder = tmp_path_factory.mktemp("delegates")

    def make(takes: int, *, fails: int = 0, absent: int = 0) -> str:
        library = folder / f"delegate{takes}_{fails}_{absent}.so"
        defined = [f"-DTAKES={takes}", f"-DFAILS={fails}", f"-DABSENT={absent}"]
        command = [compiler, "-shared", "-fPIC", *defined, str(SOURCE), "-o", str(library)]
        subprocess.run(command, check=True)
        return str(library)

    return make


def assert_refused(files: dict[str, Path], library: str, said: str) -> Any:
    """It runs on the CPU with a warning, and not at all where the delegate is required."""
    session = open_session("tflite", files["tflite"], accelerator=library)
    (warning,) = session.warnings
    assert said in warning
    with pytest.raises(DeviceUnreachableError) as caught:
        open_session("tflite", files["tflite"], accelerator=library, require=True)
    assert said in caught.value.message
    assert caught.value.hint
    return session


def test_a_delegate_that_takes_the_whole_graph(files: dict[str, Path], delegate: Maker) -> None:
    library = delegate(-1)
    session = open_session("tflite", files["tflite"], accelerator=library, require=True)
    assert session.warnings == ()
    assert session.facts["accelerator_asked"] == session.facts["accelerator"] == library
    assert (session.facts["delegate_partitions"], session.facts["xnnpack_partitions"]) == (1, 0)


def test_a_delegate_that_takes_a_part(files: dict[str, Path], delegate: Maker) -> None:
    library = delegate(1)
    session = assert_refused(files, library, "took the graph in one piece, without ")
    assert session.facts["accelerator"] == library
    assert session.facts["delegate_partitions"] == 1


def test_a_delegate_that_takes_nothing(files: dict[str, Path], delegate: Maker) -> None:
    session = assert_refused(files, delegate(0), "took nothing of the graph")
    assert session.facts["accelerator"] == "XNNPACK"
    assert session.facts["xnnpack_partitions"] == 1
    plain = open_session("tflite", files["tflite"])
    assert session.run(images(1)[0]).tolist() == plain.run(images(1)[0]).tolist()


def test_a_delegate_that_fails_on_the_graph(files: dict[str, Path], delegate: Maker) -> None:
    session = assert_refused(files, delegate(1, fails=1), "did not take the graph")
    assert session.facts["accelerator"] == "XNNPACK"


def test_a_delegate_without_its_device(files: dict[str, Path], delegate: Maker) -> None:
    assert_refused(files, delegate(1, absent=1), "cannot be loaded: no device of this kind")


def test_an_absent_library(files: dict[str, Path], tmp_path: Path) -> None:
    assert_refused(files, str(tmp_path / "libedgetpu.so.1"), "cannot be loaded: ")


def test_a_library_that_is_no_delegate(files: dict[str, Path], tmp_path: Path) -> None:
    if library := find_library("m"):
        assert_refused(files, library, "it is no delegate, for it has no tflite_plugin_create")
    (tmp_path / "text.so").write_bytes(b"text")
    assert_refused(files, str(tmp_path / "text.so"), "cannot be loaded: ")
