"""Common parts of all sessions: the contract of the file and the check of the image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekd.errors import (
    ArtefactError,
    DeviceUnreachableError,
    InputError,
)
from edgekd.runtime.sessions import open_session
from sessions.small_models import FILES, SIZE, images


@pytest.mark.parametrize("backend", FILES)
@pytest.mark.parametrize("bad", [np.zeros((SIZE, SIZE, 3), np.uint8), np.zeros((1, SIZE, SIZE, 3))])
def test_wrong_image_is_refused(backend: str, bad: np.ndarray, files: dict[str, Path]) -> None:
    session: Any = open_session(backend, files[backend])
    with pytest.raises(InputError, match=r"takes uint8 \[1, 16, 16, 3\]"):
        session.run(bad)


@pytest.mark.parametrize("backend", FILES)
def test_closed_session_cannot_run(backend: str, files: dict[str, Path]) -> None:
    session = open_session(backend, files[backend])
    session.close()
    session.close()
    with pytest.raises(RuntimeError, match="is closed"):
        session.run(images(1)[0])


def foreign_onnx(folder: Path, kind: int, shape: list[Any]) -> Path:
    """A valid ONNX file that is no deploy graph."""
    import onnx
    from onnx import helper

    graph = helper.make_graph(
        [helper.make_node("Identity", ["image"], ["logits"])],
        "foreign",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info("logits", kind, shape)],
    )
    file = folder / "foreign.onnx"
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), file)
    return file


@pytest.mark.parametrize(
    ("kind", "shape", "said"),
    [
        (1, [1, 4, 4, 3], "maps float32"),
        (2, [1, 4, 4, 3], "maps uint8"),
        (1, ["batch", 7], r"\[-1, 7\]"),
    ],
)
def test_file_that_breaks_the_contract(
    kind: int, shape: list[Any], said: str, tmp_path: Path
) -> None:
    import openvino

    file = foreign_onnx(tmp_path, kind, shape)
    with pytest.raises(ArtefactError, match=said):
        open_session("onnx", file)
    openvino.save_model(openvino.Core().read_model(file), tmp_path / "foreign.xml")
    with pytest.raises(ArtefactError, match=said):
        open_session("openvino", tmp_path / "foreign.xml")


@pytest.mark.parametrize("backend", FILES)
def test_a_session_that_is_refused_is_closed(backend: str, files: dict[str, Path]) -> None:
    session: Any = open_session(backend, files[backend], accelerator="gpu")
    with pytest.raises(DeviceUnreachableError):
        session.require_all()
    with pytest.raises(RuntimeError, match="is closed"):
        session.run(images(1)[0])


def test_an_engine_that_fails_while_it_runs(tmp_path: Path) -> None:
    """Its look-up table has one row for each of three pixel values."""
    onnx = pytest.importorskip("onnx")
    helper, kinds = onnx.helper, onnx.TensorProto
    table = onnx.numpy_helper.from_array(np.eye(3, dtype=np.float32), "table")
    corner = [onnx.numpy_helper.from_array(np.full(4, n, np.int64), f"at{n}") for n in (0, 1)]
    flat = onnx.numpy_helper.from_array(np.array([1], np.int64), "flat")
    nodes = [
        helper.make_node("Slice", ["image", "at0", "at1"], ["corner"]),
        helper.make_node("Cast", ["corner"], ["row"], to=kinds.INT64),
        helper.make_node("Reshape", ["row", "flat"], ["index"]),
        helper.make_node("Gather", ["table", "index"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "table",
        [helper.make_tensor_value_info("image", kinds.UINT8, [1, 4, 4, 3])],
        [helper.make_tensor_value_info("logits", kinds.FLOAT, [1, 3])],
        [table, *corner, flat],
    )
    opsets = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), tmp_path / "a.onnx")
    session = open_session("onnx", tmp_path / "a.onnx")
    assert session.run(np.full((1, 4, 4, 3), 2, np.uint8)).tolist() == [[0, 0, 1]]
    with pytest.raises(ArtefactError, match=r"the engine failed on a\.onnx: .*out of"):
        session.run(np.full((1, 4, 4, 3), 9, np.uint8))
