"""Progress of a build: the observer's interface, and one that writes lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from edgekd.bundle import Rung

__all__ = ["BuildObserver", "LineReporter", "verdict_of"]


class BuildObserver(Protocol):
    """Progress observer of a build; it may be called from several threads."""

    def line(self, text: str) -> None:
        """Take a message."""

    def state(self, backend: str, label: str, state: str) -> None:
        """Take the new state of one variant of one backend, e.g. `lowering`, `running 50/900`."""

    def rung(self, bundle: str, rung: Rung) -> None:
        """Take a rung of one bundle with its verdict."""


class LineReporter:
    """A progress observer that writes lines.

    Args:
        write: Takes a line; by default nothing is written.
    """

    def __init__(self, write: Callable[[str], None] = lambda line: None) -> None:
        self._write = write

    def line(self, text: str) -> None:
        """Write the message."""
        self._write(text)

    def state(self, backend: str, label: str, state: str) -> None:
        """Write a line where a state begins, not for each count of images."""
        if not state.startswith("running") or state.startswith("running 0/"):
            self._write(f"{backend} {label}: {state.split(' ')[0]}")

    def rung(self, bundle: str, rung: Rung) -> None:
        """Write the rung's numbers and its verdict."""
        self._write(f"{bundle}: {_numbers(rung)}: {verdict_of(rung)}")


def verdict_of(rung: Rung) -> str:
    """The verdict on a rung in words: failed, refused, taken or passed, with its reasons."""
    if rung.failure is not None:
        return f"failed: {rung.failure}"
    if rung.gate is not None and not rung.gate.passed:
        return f"refused: {'; '.join(rung.gate.reasons)}"
    notes = f" ({'; '.join(rung.notes)})" if rung.notes else ""
    return f"{'taken' if rung.chosen else 'passed'}{notes}"


def _numbers(rung: Rung) -> str:
    gate = rung.gate
    if gate is None:
        return rung.precision
    parts = [rung.precision, f"{rung.size_bytes / 1e6:.2f} MB"]
    if gate.balanced_accuracy is not None and gate.balanced_accuracy_drop is not None:
        change = f"{-gate.balanced_accuracy_drop:+.3f}"
        parts.append(f"balanced accuracy {gate.balanced_accuracy:.3f} ({change})")
    parts += [f"{name.replace('_', ' ')} {value:.3g}" for name, value in gate.measures.items()]
    parts.append(f"flips {gate.flips:.1%}")
    parts.append(f"largest logit difference {gate.max_logit_difference:.3g}")
    return ", ".join(parts)
