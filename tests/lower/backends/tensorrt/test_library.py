"""Loading TensorRT, and TensorRT-RTX from its wheels; what to install where they are missing."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from edgekd.errors import MissingDependencyError
from edgekd.lower.backends.tensorrt import library

needs_rtx = pytest.mark.skipif(
    find_spec("tensorrt_rtx_bindings") is None,
    reason="TensorRT-RTX's wheels are not installed: pip install 'edgekd[tensorrt-check]'",
)


def test_missing_rtx_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    library.load_tensorrt_rtx.cache_clear()
    monkeypatch.setattr(library, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="tensorrt-rtx-cu13-bindings"):
        library.load_tensorrt_rtx()


@needs_rtx
def test_rtx_is_loaded_once_with_its_parser() -> None:
    library.load_tensorrt_rtx.cache_clear()
    trt = library.load_tensorrt_rtx()
    assert library.load_tensorrt_rtx() is trt
    assert trt.__name__ == "tensorrt_rtx_bindings"
    assert int(trt.__version__.partition(".")[0]) >= 1
    assert callable(trt.OnnxParser)


def test_the_installed_tensorrt_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tensorrt.py").write_text("__version__ = '10.3.0'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    try:
        assert library.load_tensorrt().__version__ == "10.3.0"
    finally:
        sys.modules.pop("tensorrt", None)


def test_a_machine_without_tensorrt_learns_where_it_comes_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)  # as if it were not installed
    with pytest.raises(MissingDependencyError, match="TensorRT is not installed") as caught:
        library.load_tensorrt()
    assert (caught.value.exit_code, caught.value.extra) == (3, "tensorrt")
    assert "comes with JetPack" in caught.value.hint
