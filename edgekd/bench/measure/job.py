"""What the parent asks of a measuring process, and what that answers: two small JSON files."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

__all__ = ["Answer", "Failure", "Job", "MemoryAnswer", "Series"]


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Job(_Section, frozen=True, kw_only=True):
    """One thing to measure in one fresh process.

    Attributes:
        kind: `latency` or `memory`; memory is a pass of its own, since timing keeps samples.
        output: Where the answer goes.
        images: Encoded images, cycled through.
        threads: Threads of the engine.
        preset: Name of the preset.
        bundle: The bundle to open, or null.
        backend: Engine to use instead of the bundle's own, or null.
        checkpoint: The checkpoint folder to open with PyTorch, or null.
    """

    kind: Literal["latency", "memory"]
    output: str
    images: list[str]
    threads: int
    preset: str
    bundle: str | None = None
    backend: str | None = None
    checkpoint: str | None = None


class Series(_Section, frozen=True, kw_only=True):
    """One series as it was taken."""

    samples_ms: list[float]
    warmup_runs: int
    other_load: float | None


class MemoryAnswer(_Section, frozen=True, kw_only=True):
    """Peak memory with its definition."""

    rss_peak_delta_bytes: int
    definition: str


class Failure(_Section, frozen=True, kw_only=True):
    """An error that edgekd raised on purpose, by its class name."""

    kind: str
    message: str
    hint: str


class Answer(_Section, frozen=True, kw_only=True):
    """What the measuring process found; `failure` alone where it could not."""

    failure: Failure | None = None
    facts: dict[str, Any] = {}
    load_ms: float | None = None
    first_ms: float | None = None
    model: Series | None = None
    end_to_end: Series | None = None
    memory: MemoryAnswer | None = None
    temperatures_before_c: dict[str, float] = {}
    temperatures_after_c: dict[str, float] = {}
