"""Repeating an action over a link that was lost for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from edgekd.bench.devices.transport import DeviceRefusedError
from edgekd.errors import DeviceUnreachableError

__all__ = ["RETRY_PAUSES_S", "Retry"]

T = TypeVar("T")

RETRY_PAUSES_S = (1.0, 2.0, 4.0)
"""Seconds before each further attempt."""


class Retry:
    """Repeats an action where a working link breaks; a device never reached fails at once.

    Args:
        pauses: Seconds before each further attempt.
    """

    def __init__(self, pauses: Sequence[float] = RETRY_PAUSES_S) -> None:
        self._pauses = tuple(pauses)
        self._was_reached = False

    def call(self, action: Callable[[], T]) -> T:
        """The result of `action`, repeated until it succeeds or the pauses are used up.

        Raises:
            DeviceRefusedError: The device refuses the connection, which is not retried.
            DeviceUnreachableError: The last attempt failed, or the device was never reached.
        """
        for pause in (*self._pauses, None):
            try:
                done = action()
            except DeviceRefusedError:
                raise
            except DeviceUnreachableError:
                if pause is None or not self._was_reached:
                    raise
                time.sleep(pause)
            else:
                self._was_reached = True
                return done
        raise AssertionError("the last try returns or raises")
