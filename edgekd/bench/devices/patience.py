"""Doing something again over a link that was lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from edgekd.bench.devices.transport import DeviceRefusedError
from edgekd.errors import DeviceUnreachableError

__all__ = ["PAUSES", "Patience"]

T = TypeVar("T")

PAUSES = (1.0, 2.0, 4.0)
"""Seconds before each new try over a link that was lost."""


class Patience:
    """Tries again where a link breaks that was there; a device that never answered is not there.

    Args:
        pauses: Seconds before each new try.
    """

    def __init__(self, pauses: Sequence[float] = PAUSES) -> None:
        self._pauses = tuple(pauses)
        self._met = False

    def hold(self, action: Callable[[], T]) -> T:
        """What `action` gives, in the end.

        Raises:
            DeviceRefusedError: At once: to ask again would not help.
            DeviceUnreachableError: The last try failed too, or the first ever.
        """
        for pause in (*self._pauses, None):
            try:
                done = action()
            except DeviceRefusedError:
                raise
            except DeviceUnreachableError:
                if pause is None or not self._met:
                    raise
                time.sleep(pause)
            else:
                self._met = True
                return done
        raise AssertionError("the last try returns or raises")
