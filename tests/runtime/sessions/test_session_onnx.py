"""ONNX Runtime's providers: what it names is not always what runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.errors import DeviceUnreachableError
from edgekd.runtime.sessions import open_session
from edgekd.runtime.sessions.onnx import FULL_RANGE, OnnxSession


def available() -> list[str]:
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def test_absent_provider(files: dict[str, Path]) -> None:
    if "CUDAExecutionProvider" in available():
        pytest.skip("this ONNX Runtime has CUDA")
    session = open_session("onnx", files["onnx"], accelerator="CUDAExecutionProvider")
    (warning,) = session.warnings
    assert warning.startswith("CUDAExecutionProvider was requested, but ONNX Runtime offers only")
    assert session.facts["providers"] == "CPUExecutionProvider"
    with pytest.raises(DeviceUnreachableError) as caught:
        open_session("onnx", files["onnx"], accelerator="CUDAExecutionProvider", require=True)
    assert "request one of" in caught.value.hint
    assert "CPUExecutionProvider" in caught.value.hint


def test_a_provider_that_takes_no_node_is_not_obtained(files: dict[str, Path]) -> None:
    """The plain wheel for Linux has one that only calls a cloud, for its own nodes."""
    idle = "AzureExecutionProvider"
    if idle not in available():
        pytest.skip(f"this ONNX Runtime has no {idle}")
    session = open_session("onnx", files["onnx"], accelerator=idle)
    assert str(session.facts["providers"]).startswith(idle)
    assert session.facts["accelerator"] == "CPUExecutionProvider"
    (warning,) = session.warnings
    assert warning.startswith(f"{idle} took 0 of the graph's ")
    assert warning.endswith("; the rest runs on the CPU")
    with pytest.raises(DeviceUnreachableError, match="took 0 of"):
        open_session("onnx", files["onnx"], accelerator=idle, require=True)


def test_full_range_weights_are_computed_as_they_stand(
    files: dict[str, Path], tmp_path: Path
) -> None:
    """Not by integer kernels, which saturate on some CPUs; see also test_without_vnni.py."""
    import onnx

    model = onnx.load(files["onnx"])
    model.metadata_props.add(key=FULL_RANGE, value="yes")
    marked = tmp_path / "model.onnx"
    onnx.save(model, marked)
    assert [disabled(files["onnx"]), disabled(marked)] == [False, True]


def disabled(file: Path) -> bool:
    """Whether Q/DQ pairs are left as they stand."""
    session = open_session("onnx", file)
    assert isinstance(session, OnnxSession)
    options = session._session.get_session_options()
    try:
        return bool(options.get_session_config_entry("session.disable_quant_qdq") == "1")
    except RuntimeError:  # ONNX Runtime's answer for what was never set
        return False
