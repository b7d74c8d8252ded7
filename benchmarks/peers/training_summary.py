"""The numbers of the tables of `training.py`: images a second, paired ratios, aims."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import fmean, median, stdev
from typing import Any

from training_contest import CACHED, LOWER
from training_passes import Times

__all__ = ["Aim", "Ratio", "aims_of", "summary_of"]

LOOP, TORCHDISTILL = "loop fp32", "torchdistill fp32"
_CONFIDENCE = 0.95
Answer = Mapping[str, float]
Seconds = Callable[[Answer], float]


@dataclass(frozen=True)
class Ratio:
    """A geometric mean over rounds, with its interval.

    Attributes:
        mean: The geometric mean.
        low: Lower end of the 95 % interval (Student's t on the logarithms); None for one round.
        high: Its upper end.
    """

    mean: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, ratios: Sequence[float]) -> Ratio:
        """The mean of the rounds' ratios."""
        logs = [log(ratio) for ratio in ratios]
        middle = fmean(logs)
        if len(logs) < 2:
            return cls(exp(middle), None, None)
        half = _critical(len(logs) - 1) * stdev(logs) / sqrt(len(logs))
        return cls(exp(middle), exp(middle - half), exp(middle + half))

    def __str__(self) -> str:
        """The text in the tables."""
        if self.low is None or self.high is None:
            return f"{self.mean:.2f}"
        return f"{self.mean:.2f} ({self.low:.2f}–{self.high:.2f})"


def _critical(freedom: int) -> float:
    from scipy.special import stdtrit  # slow to import

    return float(stdtrit(freedom, (1 + _CONFIDENCE) / 2))


def summary_of(
    times: Times, seconds: Seconds, processor_seconds: Seconds
) -> dict[str, dict[str, Any]]:
    """Images a second of every contestant, and their ratios to the loop's and torchdistill's.

    Args:
        times: What the contestants answered.
        seconds: Seconds of an image, from an answer.
        processor_seconds: Likewise on the processors, of the contestant's process alone.
    """
    wall, processor = (_rates(times, each) for each in (seconds, processor_seconds))
    return {
        name: {
            "images_per_s": median(value for turns in wall[name] for value in turns),
            "of_loop": _paired(wall, name, LOOP),
            "of_torchdistill": _paired(wall, name, TORCHDISTILL),
            "of_torchdistill_processor": _paired(processor, name, TORCHDISTILL),
            "waiting": _middle(times[name], lambda answer: answer["waited"] / answer["seconds"]),
            "gpu_idle": _middle(times[name], lambda answer: answer["idle"]),
        }
        for name in times
    }


def _rates(times: Times, seconds: Seconds) -> dict[str, list[list[float]]]:
    return {
        name: [[1 / seconds(answer) for answer in turns] for turns in rounds]
        for name, rounds in times.items()
    }


def _paired(rates: Mapping[str, list[list[float]]], above: str, below: str) -> Ratio | None:
    """Quotients within turns, their median within rounds, and the mean of these."""
    if above not in rates or below not in rates:
        return None
    return Ratio.of(
        [
            median(one / other for one, other in zip(*turns, strict=True))
            for turns in zip(rates[above], rates[below], strict=True)
        ]
    )


def _middle(rounds: Sequence[Sequence[Answer]], value: Seconds) -> float | None:
    try:
        return median(value(answer) for turns in rounds for answer in turns)
    except KeyError:
        return None


@dataclass(frozen=True)
class Aim:
    """An aim of the project, and what was measured.

    Attributes:
        what: The aim in words.
        limit: The number to stay below, or to reach.
        at_least: Whether the limit has to be reached rather than kept below.
        measured: None where a contestant is missing.
    """

    what: str
    limit: float
    at_least: bool
    measured: Ratio | float | None

    @property
    def met(self) -> bool | None:
        """Whether the limit is met; None where nothing was measured."""
        if self.measured is None:
            return None
        value = self.measured.mean if isinstance(self.measured, Ratio) else self.measured
        return value >= self.limit if self.at_least else value <= self.limit


_TIMES = {
    "cpu": (
        ("fp32", 1.3),
        ("bf16", 1.6),
        (f"fp32, {LOWER}", 1.6),
        (f"fp32, {CACHED}", 3.0),
        (f"bf16, {CACHED}", 3.0),
    ),
    "cuda": (("fp32", 2.0), ("bf16", 2.0)),
}
"""How many times torchdistill's images a second (in fp32) edgekd is to have, by device."""
_WAITING, _IDLE = 0.02, 0.10


def aims_of(
    step: Mapping[str, dict[str, Any]], epoch: Mapping[str, dict[str, Any]], device: str
) -> list[Aim]:
    """The aims of the project on training, each with what was measured.

    Args:
        step: The summary of the steps.
        epoch: The summary of the epochs.
        device: `cpu` or `cuda`.
    """
    passes = {"step": step, "whole epoch": epoch} if device == "cpu" else {"whole epoch": epoch}
    aims = [
        Aim(
            f"edgekd {variant}: times torchdistill fp32, {name}", limit, True,
            summary.get(f"edgekd {variant}", {}).get("of_torchdistill"),
        )
        for name, summary in passes.items()
        for variant, limit in _TIMES[device]
    ]  # fmt: skip
    ours = {name: row for name, row in epoch.items() if name.startswith("edgekd")}
    aims += [
        Aim(f"{name}: share of the epoch spent waiting", _WAITING, False, row["waiting"])
        for name, row in ours.items()
    ]
    if device == "cuda":
        aims += [
            Aim(f"{name}: GPU idle", _IDLE, False, row["gpu_idle"]) for name, row in ours.items()
        ]
    return aims
