"""TensorFlow Lite's delegates: real ones, compiled here, that take more or less of the graph."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import pytest
from small_models import SIZE, images, torch

from edgekd.errors import DeviceUnreachableError
from edgekd.runtime.sessions import open_session

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


def test_a_graph_in_pieces_is_told(tmp_path: Path) -> None:
    from edgekd.lower.backends import get_backend
    from edgekd.lower.graph import deploy_graph
    from edgekd.lower.precision import Variant

    class Cut(torch.nn.Module):  # type: ignore[misc]
        def forward(self, values: Any) -> Any:
            return torch.cumsum(values, 1)  # XNNPACK has none

    layers = [torch.nn.Conv2d(3, 4, 3), Cut(), torch.nn.Conv2d(4, 3, SIZE - 2), torch.nn.Flatten()]
    graph = deploy_graph(torch.nn.Sequential(*layers).eval(), (0.5,) * 3, (0.25,) * 3)
    get_backend("tflite").lower(graph, SIZE, Variant(precision="fp32"), None, tmp_path)
    session = open_session("tflite", tmp_path / "model.tflite")
    assert session.warnings == ("XNNPACK took the graph in 2 pieces; each cut costs time",)
    with pytest.raises(DeviceUnreachableError, match="in 2 pieces"):
        open_session("tflite", tmp_path / "model.tflite", require=True)
