"""An engine belongs to the process that opened it: a fork copies its memory, not its threads.

In a forked child OpenVINO waits forever for threads that are not there, as soon as an object of it
is let go, at the latest when the child ends; ONNX Runtime ends the child by a signal. So a child
lets go of nothing, and what would run there is refused.
"""

from __future__ import annotations

import os
import weakref
from typing import Any

from edgekd.errors import ForkedError

__all__ = ["Owner"]

_OPEN: weakref.WeakSet[Any] = weakref.WeakSet()


class Owner:
    """Which process opened an engine.

    Args:
        holder: What holds the engine's objects; they outlive a child that is forked while it is
            there.
    """

    def __init__(self, holder: Any) -> None:
        self._process = os.getpid()
        _OPEN.add(holder)

    @property
    def is_here(self) -> bool:
        """Whether this is that process."""
        return os.getpid() == self._process

    def require(self) -> None:
        """Refuse to run elsewhere.

        Raises:
            ForkedError: This process was forked from that one.
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
