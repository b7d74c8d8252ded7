"""Errors that TensorRT logs are part of the message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edgekd.errors import ArtefactError


def test_tensorrt_engine_of_another_gpu(opened: Callable[..., Any]) -> None:
    with pytest.raises(ArtefactError, match=r"never allowed: Version tag does not match") as caught:
        opened(readable=False)
    assert caught.value.message.startswith("TensorRT 10.3.0 does not load model.engine")
    assert "edgekd build --on-device" in caught.value.hint
