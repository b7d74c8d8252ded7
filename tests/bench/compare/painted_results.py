"""Results of one device with painted decisions and times, to be compared with one another."""

from __future__ import annotations

import functools

import numpy as np

from edgekd.bench.compare.teacher import comparison_of
from edgekd.bench.result import (
    DataFacts,
    DeviceFacts,
    Energy,
    Latency,
    Memory,
    Result,
    ResultRow,
)
from edgekd.bench.result.statistics import summarise
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.metrics import metrics_of
from edgekd.metrics.task import metrics_task

CLASSES = ("mel", "bcc", "nv", "df")
IMAGES = 400


@functools.cache
def images(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """What is hard about each image for any model [N, K], and the labels [N]."""
    generator = np.random.default_rng(seed)
    targets = np.arange(IMAGES) % len(CLASSES)
    return generator.normal(size=(IMAGES, len(CLASSES))), targets


def logits_of(seed: int, skill: float, *, data: int = 0) -> np.ndarray:
    """A model of that skill: its own noise beside what is hard for all."""
    hard, targets = images(data)
    logits = hard + 0.5 * np.random.default_rng(seed).normal(size=hard.shape)
    logits[np.arange(IMAGES), targets] += skill
    return logits


def times(seed: int, p50: float, runs: int = 300) -> Latency:
    """A process differs from the next one by a per cent, and its runs by a few."""
    generator = np.random.default_rng(seed)
    model = p50 * generator.normal(1, 0.01) * generator.gamma(900, 1 / 900, runs)
    end_to_end = model + 3.0 * generator.gamma(900, 1 / 900, runs)
    return Latency(model=summarise(model), end_to_end=summarise(end_to_end))


def compare(teacher, row, targets):
    task = metrics_task(DEFAULT_TASK)
    return comparison_of(task.difference(teacher, row, targets, CLASSES))


def artefact(
    seed: int, *, p50: float = 10.0, skill: float = 2.0, data: int = 0, **more
) -> ResultRow:
    values = {
        "name": "rpi int8",
        "role": "artefact",
        "target": "rpi",
        "backend": "tflite",
        "precision": "int8",
        "size_bytes": 2_500_000,
        "runtime": {"threads": 4},
        "latency_ms": times(seed, p50),
        "memory": Memory(rss_peak_delta_bytes=70_000_000, definition="VmHWM"),
        "energy": Energy(
            joules_per_inference=0.05, active_watts=7.0, idle_watts=4.5, sensor="INA3221 VDD_IN"
        ),
    }
    if "metrics" not in more:
        logits, targets = logits_of(seed, skill, data=data), images(data)[1]
        values["metrics"] = metrics_of(logits, targets, CLASSES)
    return ResultRow(**(values | more))


def teacher_row(sha256: str = "t" * 64) -> ResultRow:
    return ResultRow(name="teacher", role="teacher", sha256=sha256)


def result(*rows: ResultRow, device: str = "rpi", data: str = "d" * 64, **facts) -> Result:
    return Result(
        created="2026-11-22T21:00:00+00:00",
        command="edgekd bench",
        device=DeviceFacts(name=device, kind="ssh", facts={"model": "Raspberry Pi 5"} | facts),
        data=DataFacts(name="tiny", split="test", n=IMAGES, sha256=data, classes=list(CLASSES)),
        rows=list(rows),
    )
