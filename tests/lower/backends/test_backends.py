"""Each backend's real files answer as the student does."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.lowered_files import BUILT_IN, FROM_ONNX, SIZE, answers
from edgekd.errors import ArtefactError, InputError, MissingDependencyError
from edgekd.extensions.engines.tflite import BACKEND
from edgekd.lower.backends import Backend, backend_names, get_backend
from edgekd.lower.precision import CALIBRATED, LADDER, Variant

ALL = [(name, precision) for name in FROM_ONNX for precision in get_backend(name).precisions]


@pytest.mark.parametrize("name", BUILT_IN)
def test_fp32_is_the_student(name: str, lowered: Any, student: Any) -> None:
    logits, _ = answers(name, lowered(name, "fp32"), student)
    assert np.abs(logits - student.logits).max() < 1e-3 * student.logits.std()


@pytest.mark.parametrize("name", BUILT_IN)
def test_int8_agrees_with_the_student(name: str, lowered: Any, student: Any) -> None:
    logits, _ = answers(name, lowered(name, "int8"), student)
    centre = student.logits.mean(0)
    correlation = np.corrcoef((logits - centre).ravel(), (student.logits - centre).ravel())[0, 1]
    assert correlation > 0.99
    assert (logits.argmax(1) == student.logits.argmax(1)).mean() >= 0.95
    assert np.abs(logits - student.logits).max() > 0  # it is not the fp32 file


@pytest.mark.parametrize(("name", "precision"), ALL)
def test_every_precision_agrees_with_the_student(
    name: str, precision: str, lowered: Any, student: Any
) -> None:
    logits, _ = answers(name, lowered(name, precision), student)
    apart = np.abs(logits - student.logits).max() / student.logits.std()
    allowed = {"fp32": 1e-3, "fp16": 2e-2}.get(precision, 0.5)
    assert apart < allowed
    assert (logits.argmax(1) == student.logits.argmax(1)).mean() >= 0.95


@pytest.mark.parametrize("name", FROM_ONNX)
def test_float_layers_bring_int8_closer(name: str, lowered: Any, student: Any) -> None:
    apart = {
        precision: np.abs(answers(name, lowered(name, precision), student)[0] - student.logits)
        for precision in sorted(CALIBRATED)
    }
    assert apart["int8-mixed"].mean() < apart["int8"].mean()


@pytest.mark.parametrize("name", FROM_ONNX)
def test_bolder_precisions_have_smaller_weights(name: str, lowered: Any) -> None:
    stored = [
        weight_bytes(lowered(name, precision) / get_backend(name).model_file)
        for precision in LADDER
        if precision in get_backend(name).precisions
    ]
    # int8-mixed keeps 3 of 6 layers in float: it may be larger than fp16.
    assert stored[0] == min(stored)
    assert stored[-1] == max(stored)
    assert len(set(stored)) == len(stored)


def weight_bytes(file: Path) -> int:
    """Bytes of all constants of more than one value per channel: the weights."""
    if file.suffix == ".xml":
        return file.with_suffix(".bin").stat().st_size
    import onnx
    from onnx import numpy_helper

    tensors = onnx.load(file).graph.initializer
    return sum(numpy_helper.to_array(tensor).nbytes for tensor in tensors if len(tensor.dims) > 1)


@pytest.mark.parametrize("name", FROM_ONNX)
def test_layers_that_are_not_there(name: str, student: Any, tmp_path: Path) -> None:
    wanted = Variant(precision="int8-mixed", float_layers=("stem.0", "blocks.7"))
    with pytest.raises(InputError, match=r"layer 'blocks\.7'"):
        get_backend(name).lower(student.graph, SIZE, wanted, student.calibration, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", BUILT_IN)
def test_backend_describes_itself(name: str) -> None:
    backend = get_backend(name)
    assert isinstance(backend, Backend)
    assert backend.name == name
    assert {"fp32", "int8"} <= set(backend.precisions) <= set(LADDER)
    assert backend.completion == ("finish-on-device" if name == "tensorrt" else "complete")


def test_third_partys_backend_that_is_none_is_told_with_its_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for value, kind, message in (
        ("no_such_module:Backend", MissingDependencyError, "No module named 'no_such_module'"),
        ("edgekd.lower.backends.tflite:NoBackend", ArtefactError, "AttributeError"),
        ("pathlib:Path", ArtefactError, "is a type, which it cannot be"),
        (f"{__name__}:OTHER", ArtefactError, "is described as other"),
        (f"{__name__}:UNFIT", ArtefactError, "the lowering of the backend mine .* cannot be"),
    ):
        entry = EntryPoint("mine", value, "edgekd.backends")
        monkeypatch.setattr(metadata, "entry_points", lambda group, e=entry: EntryPoints([e]))
        with pytest.raises(kind, match=message) as caught:
            get_backend("mine")
        assert value in caught.value.message


def test_unknown_backend_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="'coreml'") as caught:
        get_backend("coreml")
    assert "onnx, openvino, tensorrt, tflite" in caught.value.hint


MINE = replace(BACKEND, name="mine")
OTHER = replace(BACKEND, name="other")
UNFIT = replace(MINE, lowering="pathlib:Path")


def test_third_party_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("mine", f"{__name__}:MINE", "edgekd.backends")
    monkeypatch.setattr(metadata, "entry_points", lambda group: EntryPoints([entry]))
    assert "mine" in backend_names()
    assert get_backend("mine").model_file == "model.tflite"
