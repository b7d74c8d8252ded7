"""Sessions keep one contract on every engine, and say what is wrong with a file."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from small_models import CLASSES, FILES, SIZE, images, in_memory, make_graph, torch

from edgekd.bundle.model_files import ModelFiles
from edgekd.errors import (
    ArtefactError,
    DeviceUnreachableError,
    InputError,
    MissingDependencyError,
)
from edgekd.extensions.engines.onnx import BACKEND as ONNX
from edgekd.runtime import telemetry
from edgekd.runtime.sessions import available_backends, open_session
from edgekd.runtime.sessions.base import Session


@pytest.mark.parametrize("backend", FILES)
def test_session_answers_as_the_network(backend: str, files: dict[str, Path]) -> None:
    session = open_session(backend, files[backend], threads=1)
    assert isinstance(session, Session)
    assert session.backend == backend
    assert (session.input_shape, session.output_shape) == ((1, SIZE, SIZE, 3), (1, CLASSES))
    answers = [session.run(image) for image in images(4)]  # kept: each is the caller's own
    expected = make_graph()(torch.from_numpy(np.concatenate(images(4)))).numpy()
    np.testing.assert_allclose(np.concatenate(answers), expected, atol=1e-5)
    assert all(answer.dtype == np.float32 for answer in answers)
    session.close()


@pytest.mark.parametrize("backend", FILES)
def test_strided_images_are_read_right(backend: str, files: dict[str, Path]) -> None:
    session = open_session(backend, files[backend])
    mirrored = images(1)[0][:, :, ::-1]
    np.testing.assert_array_equal(session.run(mirrored), session.run(mirrored.copy()))


@pytest.mark.parametrize("backend", FILES)
def test_facts_say_what_was_obtained(backend: str, files: dict[str, Path]) -> None:
    facts = open_session(backend, files[backend], threads=1).facts
    assert facts["threads"] == 1
    assert str(facts["engine"]).split()[0] in ("ai-edge-litert", "onnxruntime", "openvino")
    expected: dict[str, dict[str, Any]] = {
        "onnx": {"providers": "CPUExecutionProvider"},
        "openvino": {"precision_hint": "f32", "performance_hint": "LATENCY", "streams": 1},
        "tflite": {"xnnpack_partitions": 1},
    }
    assert expected[backend].items() <= facts.items()


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


@pytest.mark.parametrize("backend", FILES)
def test_truncated_file(backend: str, files: dict[str, Path], tmp_path: Path) -> None:
    for file in {files[backend], files[backend].with_suffix(".bin")}:
        content = file.read_bytes()
        (tmp_path / file.name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtefactError, match="cannot read model"):
        open_session(backend, tmp_path / FILES[backend])


@pytest.mark.parametrize("backend", FILES)
def test_absent_file(backend: str, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="is missing"):
        open_session(backend, tmp_path / FILES[backend])


def test_openvino_without_its_weights(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "model.xml").write_bytes(files["openvino"].read_bytes())
    with pytest.raises(ArtefactError, match=r"model\.bin is missing"):
        open_session("openvino", tmp_path / "model.xml")


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


def test_unknown_backend_and_threads(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'coreml'") as caught:
        open_session("coreml", tmp_path)
    assert "onnx, openvino, tensorrt, tflite" in caught.value.hint
    with pytest.raises(InputError, match="threads is 0"):
        open_session("onnx", tmp_path, threads=0)


MINE = replace(ONNX, name="mine")


def test_third_party_backend(monkeypatch: pytest.MonkeyPatch, files: dict[str, Path]) -> None:
    entry = EntryPoint("mine", f"{__name__}:MINE", "edgekd.backends")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: EntryPoints([entry]))
    assert "mine" in available_backends()
    assert open_session("mine", files["onnx"]).backend == "onnx"
    with pytest.raises(DeviceUnreachableError):
        open_session("mine", in_memory(files["onnx"]), accelerator="gpu", require=True)


def test_available_backends() -> None:
    assert set(FILES) <= set(available_backends())


@pytest.mark.parametrize(
    ("backend", "engines", "package"),
    [
        ("tflite", ["ai_edge_litert.interpreter", "tflite_runtime.interpreter"], "ai-edge-litert"),
        ("openvino", ["openvino"], "openvino"),
        ("onnx", ["onnxruntime"], "onnxruntime"),
        ("tensorrt", ["tensorrt"], "TensorRT"),
    ],
)
def test_missing_engine(
    backend: str, engines: list[str], package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for engine in engines:
        monkeypatch.setitem(sys.modules, engine, None)
    with pytest.raises(MissingDependencyError, match=f"{package} is not installed") as caught:
        open_session(backend, tmp_path / "model")
    assert caught.value.extra == backend
    assert caught.value.hint


def test_device_side_is_light_and_silent() -> None:
    code = (
        "import sys, edgekd.runtime.sessions as s; "
        "from edgekd.runtime.sessions import onnx, openvino, tensorrt, tflite; "
        "heavy = {'torch', 'onnxruntime', 'openvino', 'tensorrt', 'ai_edge_litert'}; "
        "sys.exit(len(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_openvino_session_sends_nothing(files: dict[str, Path]) -> None:
    code = (
        "import os, socket, sys\n"
        "def refuse(*arguments, **options):\n"
        "    os._exit(9)\n"
        "socket.getaddrinfo = socket.socket.connect = refuse\n"
        "from pathlib import Path\n"
        "from edgekd.runtime.sessions import open_session\n"
        f"open_session('openvino', Path({str(files['openvino'])!r}))\n"
        "sys.exit(sys.modules['openvino_telemetry'] is not None)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_telemetry_that_was_imported_before_is_idled(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    class TelemetrySender:
        def send(self, backend: object, message: str) -> None:
            sent.append(message)

    monkeypatch.setitem(sys.modules, "openvino_telemetry", SimpleNamespace())
    sender = SimpleNamespace(TelemetrySender=TelemetrySender)
    monkeypatch.setitem(sys.modules, "openvino_telemetry.utils.sender", sender)
    telemetry.silence()
    TelemetrySender().send(None, "import")
    assert not sent


@pytest.mark.parametrize("backend", FILES)
def test_files_in_memory_answer_as_on_disk_and_stay_there(
    backend: str, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped = open_session(backend, files[backend], threads=1)
    for name in ("HOME", "TMPDIR", "EDGEKD_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("EDGEKD_OPENVINO_CACHE", "1")
    monkeypatch.chdir(tmp_path)
    session = open_session(backend, in_memory(files[backend]), threads=1)
    for image in images(4):
        np.testing.assert_array_equal(session.run(image), mapped.run(image))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("backend", FILES)
@pytest.mark.parametrize("kept", [0, 1, 200])
def test_truncated_files_in_memory(backend: str, kept: int, files: dict[str, Path]) -> None:
    whole = in_memory(files[backend])
    for name in whole.contents:
        cut = {**whole.contents, name: whole.contents[name][:kept]}
        with pytest.raises(ArtefactError, match="cannot read model"):
            open_session(backend, ModelFiles(whole.name, contents=cut))


@pytest.mark.parametrize("backend", FILES)
def test_absent_files_in_memory(backend: str, files: dict[str, Path]) -> None:
    whole = in_memory(files[backend])
    for name in whole.contents:
        rest = {one: content for one, content in whole.contents.items() if one != name}
        with pytest.raises(ArtefactError, match=f"{name} is missing"):
            open_session(backend, ModelFiles(whole.name, contents=rest))


@pytest.mark.parametrize("backend", FILES)
@pytest.mark.parametrize("word", [None, "cpu", "CPU"])
def test_the_cpu_is_obtained(backend: str, word: str | None, files: dict[str, Path]) -> None:
    session = open_session(backend, files[backend], accelerator=word, require=True)
    expected = {"onnx": "CPUExecutionProvider", "openvino": "CPU", "tflite": "XNNPACK"}
    assert session.facts["accelerator_asked"] == word
    assert session.facts["accelerator"] == expected[backend]
    assert session.warnings == ()


@pytest.mark.parametrize("backend", FILES)
@pytest.mark.parametrize("word", ["gpu", "NPU"])
def test_an_absent_accelerator_is_told(
    backend: str, word: str, files: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    session = open_session(backend, files[backend], accelerator=word)
    (warning,) = session.warnings
    assert word.upper() in warning.upper()
    assert warning.endswith("; the file runs on the CPU")
    assert session.facts["accelerator_asked"] == word
    plain = open_session(backend, files[backend])
    assert session.facts["accelerator"] == plain.facts["accelerator"]
    np.testing.assert_array_equal(session.run(images(1)[0]), plain.run(images(1)[0]))
    with pytest.raises(DeviceUnreachableError, match="was requested, but") as caught:
        open_session(backend, files[backend], accelerator=word, require=True)
    assert caught.value.hint
    assert capfd.readouterr().out == ""  # where `--json` goes


@pytest.mark.parametrize("backend", FILES)
def test_a_session_that_is_refused_is_closed(backend: str, files: dict[str, Path]) -> None:
    session: Any = open_session(backend, files[backend], accelerator="gpu")
    with pytest.raises(DeviceUnreachableError):
        session.require_all()
    with pytest.raises(RuntimeError, match="is closed"):
        session.run(images(1)[0])


def test_an_accelerator_without_a_name(files: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="has no name"):
        open_session("onnx", files["onnx"], accelerator=" ")


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
