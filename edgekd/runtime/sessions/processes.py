"""An engine belongs to the process that opened it: a fork copies its memory, not its threads.

In a forked child OpenVINO waits forever for missing threads as soon as one of its objects is
released, at the latest when the child exits; ONNX Runtime kills the child by a signal. So a child
never releases an engine, and refuses to run one.
"""

from __future__ import annotations

import os
import weakref
from typing import Any

from edgekd.errors import ForkedError

__all__ = ["Owner"]

_OPEN: weakref.WeakSet[Any] = weakref.WeakSet()


class Owner:
    """The process that opened an engine.

    Args:
        holder: The object that holds the engine's objects; a child that is forked during its
            lifetime never releases them.
    """

    def __init__(self, holder: Any) -> None:
        self._process = os.getpid()
        _OPEN.add(holder)

    @property
    def is_here(self) -> bool:
        """Whether the current process opened the engine."""
        return os.getpid() == self._process

    def require(self) -> None:
        """Refuse to run in another process.

        Raises:
            ForkedError: This process was forked from the one that opened the engine.
        """
        if not self.is_here:
            message = "this process was forked after the bundle was opened: its engine is not here"
            hint = "open the bundle after the fork, in each process; or start them by 'spawn'"
            raise ForkedError(message, hint)


def _keep_engine_of_parent() -> None:
    """Add a reference to each engine, so that this process never releases what it inherited."""
    holders = list(_OPEN)
    if not holders:
        return
    import ctypes

    hold = ctypes.pythonapi.Py_IncRef
    hold.argtypes, hold.restype = (ctypes.py_object,), None
    for holder in holders:
        for part in (holder, *vars(holder).values()):
            hold(part)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_engine_of_parent)
