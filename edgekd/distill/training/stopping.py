"""Signals by which a machine asks a training to end: it saves first, then ends."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from edgekd.errors import StoppedError

__all__ = ["StopRequestedError", "StopSignals", "stopped"]

_NAMES = ("SIGTERM", "SIGUSR1")  # SIGUSR1 is what SLURM sends before the end of a job's time
_SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))


class StopRequestedError(Exception):
    """Ends Lightning's loops after a signal, once everything is saved.

    Args:
        number: Number of the signal.
        saved: What is saved, in words.
    """

    def __init__(self, number: int, saved: str) -> None:
        super().__init__(saved)
        self.number = number
        self.saved = saved


class StopSignals:
    """Notes the first SIGTERM or SIGUSR1; a second one ends the process at once.

    Nothing is done within the handler: a collective or a write could be under way.
    """

    def __init__(self) -> None:
        self.received = 0

    def listen(self) -> None:
        """Handle the signals from now on; whoever calls restores the former handlers.

        Does nothing outside of the main thread, where Python allows no handlers.
        """
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        signal.signal(number, signal.SIG_DFL)


def stopped(request: StopRequestedError) -> StoppedError:
    """The error that ends the command."""
    name = signal.Signals(request.number).name
    hint = "the same command continues there"
    return StoppedError(f"stopped by {name}: {request.saved}; {hint}", 128 + request.number)
