"""The typed part of TensorRT's module is the part that is used, and the real module has it."""

from __future__ import annotations

import inspect
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from edgekd.lower.backends.tensorrt import api, builder, one_op
from edgekd.lower.backends.tensorrt.library import load_tensorrt_rtx

OPTIONAL = {"ComputeCapability"}
"""What TensorRT-RTX alone has; it is looked up by name."""

MEMBERS = {name for name, _ in inspect.getmembers(api._Checked) if not name.startswith("_")}


def test_what_is_used_is_typed_and_what_is_typed_is_used() -> None:
    used = set()
    for module in (builder, one_op):
        source = Path(inspect.getfile(module)).read_text(encoding="utf-8")
        used |= set(re.findall(r"\btrt\.([A-Za-z]\w*)", source))
    assert used - OPTIONAL == MEMBERS


@pytest.mark.skipif(
    find_spec("tensorrt_rtx_bindings") is None,
    reason="TensorRT-RTX's wheels are not installed: pip install 'edgekd[tensorrt-check]'",
)
def test_tensorrt_rtx_has_every_typed_member() -> None:
    trt = load_tensorrt_rtx()
    assert [name for name in sorted(MEMBERS | OPTIONAL) if not hasattr(trt, name)] == []
    assert trt.__version__
