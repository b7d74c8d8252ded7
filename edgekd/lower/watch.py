"""Who looks on while bundles are built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from edgekd.bundle import Rung

__all__ = ["Lines", "Watch", "verdict_of"]


class Watch(Protocol):
    """Told what a build does, as it does it; calls may come from several threads."""

    def line(self, text: str) -> None:
        """Something to know, in words."""

    def state(self, backend: str, label: str, state: str) -> None:
        """What happens to one variant of one backend now, e.g. `lowering`, `running 50/900`."""

    def judged(self, bundle: str, rung: Rung) -> None:
        """A rung of one bundle was judged."""


class Lines:
    """A watch that says it line by line."""

    def __init__(self, say: Callable[[str], None] = lambda line: None) -> None:
        self._say = say

    def line(self, text: str) -> None:
        """Say it."""
        self._say(text)

    def state(self, backend: str, label: str, state: str) -> None:
        """Only what begins is worth a line."""
        if not state.startswith("running") or state.startswith("running 0/"):
            self._say(f"{backend} {label}: {state.split(' ')[0]}")

    def judged(self, bundle: str, rung: Rung) -> None:
        """Its numbers and its verdict."""
        self._say(f"{bundle}: {_numbers(rung)}: {verdict_of(rung)}")


def verdict_of(rung: Rung) -> str:
    """What became of a rung, in words."""
    if rung.failure is not None:
        return f"failed: {rung.failure}"
    if rung.gate is not None and not rung.gate.passed:
        return f"refused: {'; '.join(rung.gate.reasons)}"
    remarks = f" ({'; '.join(rung.remarks)})" if rung.remarks else ""
    return f"{'taken' if rung.taken else 'passed'}{remarks}"


def _numbers(rung: Rung) -> str:
    gate = rung.gate
    if gate is None:
        return rung.precision
    return (
        f"{rung.precision}, {rung.size_bytes / 1e6:.2f} MB, "
        f"balanced accuracy {gate.balanced_accuracy:.3f} ({-gate.balanced_accuracy_drop:+.3f}), "
        f"flips {gate.flips:.1%}, largest logit difference {gate.max_logit_difference:.3g}"
    )
