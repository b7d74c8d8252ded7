"""Sessions keep one contract on every engine, and say what is wrong with a file."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekd.bundle.model_files import ModelFiles
from edgekd.errors import (
    ArtefactError,
    DeviceUnreachableError,
    InputError,
    MissingDependencyError,
)
from edgekd.extensions.engines.onnx import BACKEND as ONNX
from edgekd.runtime.sessions import available_backends, open_session
from sessions.small_models import FILES, images, in_memory


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


def test_an_accelerator_without_a_name(files: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="has no name"):
        open_session("onnx", files["onnx"], accelerator=" ")
