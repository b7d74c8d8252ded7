"""Arithmetic that must not be rounded to half precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

__all__ = ["without_autocast"]

_AUTOCASTING = ("cpu", "cuda", "mps", "xpu")


@contextmanager
def without_autocast() -> Iterator[None]:
    """Switch autocast off, which would take products back to half precision, on every device."""
    with ExitStack() as off:
        for kind in _AUTOCASTING:
            if torch.is_autocast_enabled(kind):
                off.enter_context(torch.autocast(kind, enabled=False))
        yield
