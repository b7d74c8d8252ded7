"""Whether a new result is worse than an old one: what is beyond chance, not what merely differs.

Rows are matched by role, name, target and precision; `edgekd.bench.compare.judgement` says when a
number is worse. What an old row had and a new one has not, and times that are not valid, are
`unknown`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from edgekd.bench.compare.judgement import Assessment, Verdict, less, more, slower
from edgekd.bench.result import Estimate, LatencySeries, Result, ResultRow
from edgekd.errors import InputError
from edgekd.targets import load_target, target_names

__all__ = ["METRICS", "Change", "RegressionLimits", "Regressions", "compare_results"]

METRICS = ("latency", "accuracy", "sensitivity", "size", "memory", "energy")
_TIMED = ("latency", "memory", "energy")
_JUDGED = ("accuracy", "sensitivity")
_MACHINE = ("model", "cpu", "machine", "cores_usable")
_FROM_HOST = "accuracy-from-host"


@dataclass(frozen=True)
class RegressionLimits:
    """What is compared, and what is too much where no interval decides alone.

    Attributes:
        metrics: Some of `METRICS`.
        tolerance: Of latency and size: 0.05 lets 5 % pass.
        loose_tolerance: Of memory and energy, which differ more from one process to the next.
        critical: Classes whose sensitivity is looked at; None takes those of the row's target.
    """

    metrics: Sequence[str] = METRICS
    tolerance: float = 0.05
    loose_tolerance: float = 0.10
    critical: Sequence[str] | None = None

    def check(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            InputError: An unknown metric, or a tolerance below zero.
        """
        unknown = [name for name in self.metrics if name not in METRICS]
        if unknown:
            raise InputError(f"there is no metric {unknown[0]!r}", f"known: {', '.join(METRICS)}")
        if min(self.tolerance, self.loose_tolerance) < 0:
            raise InputError("a tolerance is below zero", "0.05 lets 5 % pass")


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One number of one row, before and after.

    Attributes:
        row: Name of the row.
        metric: Which number, in words with its unit.
        verdict: What came of it; `unknown` where there is no evidence.
        old: Before, or null.
        new: After, or null.
        words: Why.
    """

    row: str
    metric: str
    verdict: Verdict
    old: float | None = None
    new: float | None = None
    words: str = ""


class Regressions(msgspec.Struct, frozen=True, kw_only=True):
    """All changes, row by row; `added` are rows that only the new result has."""

    changes: list[Change]
    added: list[str] = []

    def of(self, verdict: Verdict) -> list[Change]:
        """The changes of one verdict."""
        return [change for change in self.changes if change.verdict == verdict]

    def exit_code(self, *, strict: bool = False) -> int:
        """4 for a regression; strictly, for lacking evidence too. Else 0."""
        return 4 if self.of("regression") or (strict and self.of("unknown")) else 0


def compare_results(
    old: Result, new: Result, limits: RegressionLimits | None = None
) -> Regressions:
    """Compare the rows that both results have.

    Args:
        old: The result to hold on to.
        new: The one to judge.
        limits: What is compared, and how strictly.

    Raises:
        InputError: They cannot be compared: other images, another device, another timed span; or
            the limits make no sense.
    """
    limits = limits or RegressionLimits()
    limits.check()
    _check_comparable(old, new, limits.metrics)
    before, after = ({_key(row): row for row in result.rows} for result in (old, new))
    changes: list[Change] = []
    for key, row in before.items():
        if key not in after:
            words = "the new result has no such row"
            changes.append(Change(row=row.name, metric="row", verdict="unknown", words=words))
            continue
        pair = _Pair(row, after[key], limits, _same_teacher(old, new), old.data.classes)
        changes += pair.changes()
    added = [row.name for key, row in after.items() if key not in before]
    return Regressions(changes=changes, added=added)


def _key(row: ResultRow) -> tuple[str | None, ...]:
    return (row.role, row.name, row.target, row.precision)


def _check_comparable(old: Result, new: Result, metrics: Sequence[str]) -> None:
    judged = [name for name in metrics if name in _JUDGED]
    if judged and old.data.sha256 != new.data.sha256:
        message = f"the images differ: {_images(old)} before, {_images(new)} now"
        raise InputError(message, "measure on the same images, or compare --metric latency, size …")
    timed = [name for name in metrics if name in _TIMED]
    if not timed:
        return
    before, after = _device(old), _device(new)
    for name, value in before.items():
        if after[name] != value:
            message = f"the devices differ in {name}: {value} before, {after[name]} now"
            raise InputError(message, "measure on the same device, or compare --metric accuracy …")


def _images(result: Result) -> str:
    data = result.data
    return f"{data.n} of {data.name}/{data.split} ({data.sha256[:8]})"


def _device(result: Result) -> dict[str, Any]:
    device = result.device
    named = {"name": device.name, "kind": device.kind, "emulated": device.emulated}
    return named | {name: device.facts.get(name) for name in _MACHINE}


def _same_teacher(old: Result, new: Result) -> bool:
    teachers = [
        {row.sha256 for row in result.rows if row.role == "teacher"} for result in (old, new)
    ]
    return len(teachers[0]) == 1 and None not in teachers[0] and teachers[0] == teachers[1]


@dataclass(frozen=True)
class _Pair:
    """One row in both results."""

    old: ResultRow
    new: ResultRow
    limits: RegressionLimits
    same_teacher: bool
    classes: Sequence[str]

    def changes(self) -> list[Change]:
        """Of all metrics that are asked for and that the old row has."""
        takers = {
            "latency": self._latency,
            "accuracy": self._accuracy,
            "sensitivity": self._sensitivities,
            "size": self._size,
            "memory": self._memory,
            "energy": self._energy,
        }
        wanted = (takers[name] for name in METRICS if name in self.limits.metrics)
        return [change for take in wanted for change in take()]

    def _change(
        self, metric: str, old: float | None, new: float | None, said: Assessment
    ) -> Iterator[Change]:
        """The change; none where nothing was known before either."""
        if old is not None:
            yield Change(
                row=self.old.name,
                metric=metric,
                verdict=said.verdict,
                old=old,
                new=new,
                words=said.words,
            )

    # ---- speed ----

    def _latency(self) -> Iterator[Change]:
        old, new = self.old.latency_ms, self.new.latency_ms
        if old is None:
            return
        if new is not None:
            spans = (old.model_span, old.end_to_end_span), (new.model_span, new.end_to_end_span)
            if spans[0] != spans[1]:
                message = f"{self.old.name} was timed over another span: {spans[0]}, now {spans[1]}"
                raise InputError(message, "measure both with the same edgekd")
        doubt = self._doubt_of_times()
        for what, before, after in (
            ("model", old.model, new.model if new else None),
            ("end to end", old.end_to_end, new.end_to_end if new else None),
        ):
            yield from self._series(what, before, after, doubt)

    def _series(
        self, what: str, old: LatencySeries | None, new: LatencySeries | None, doubt: str
    ) -> Iterator[Change]:
        if old is None:
            return
        for name in ("p50", "p90"):
            before, after = getattr(old, name), getattr(new, name, None)
            bounds, others = (
                getattr(old, f"{name}_interval"),
                getattr(new, f"{name}_interval", None),
            )
            if doubt or before is None or after is None:
                said = Assessment("unknown", doubt or _gone(self.new, "latency"))
            elif bounds is None or others is None:
                said = Assessment(
                    "unknown", "the timing program keeps no samples, hence no interval"
                )
            else:
                said = slower(before, after, bounds, others, self.limits.tolerance)
            yield from self._change(f"{name} {what}, ms", before, after, said)

    def _doubt_of_times(self) -> str:
        for when, row in (("before", self.old), ("now", self.new)):
            if not row.valid:
                return (
                    f"its times are not valid {when}: {'; '.join(row.flags) or 'no reason given'}"
                )
        threads = [row.runtime.get("threads") for row in (self.old, self.new)]
        if threads[0] != threads[1]:
            return f"{threads[0]} threads before, {threads[1]} now"
        return ""

    # ---- decisions ----

    def _accuracy(self) -> Iterator[Change]:
        old, new = self.old.metrics, self.new.metrics
        if old is None:
            return
        for name in ("balanced_accuracy", "quadratic_kappa"):
            before: Estimate | None = getattr(old, name)
            if before is None:
                continue
            after = (getattr(new, name) if new is not None else None) or Estimate(value=None)
            said = self._judged(*(self._beside_teacher(f"{name}_delta") or (before, after)))
            yield from self._change(name.replace("_", " "), before.value, after.value, said)

    def _beside_teacher(self, delta: str) -> tuple[Estimate, Estimate] | None:
        """Both as differences to one and the same teacher, whose intervals are narrower: paired."""
        versus = self.old.vs_teacher, self.new.vs_teacher
        if not self.same_teacher or versus[0] is None or versus[1] is None:
            return None
        before, after = (getattr(each, delta) for each in versus)
        return (before, after) if before is not None and after is not None else None

    def _sensitivities(self) -> Iterator[Change]:
        old, new = self.old.metrics, self.new.metrics
        if old is None:
            return
        for name in self._critical():
            own = old.per_class.get(name)
            if own is None:
                continue
            other = new.per_class.get(name) if new is not None else None
            before = own.sensitivity
            after = other.sensitivity if other is not None else Estimate(value=None)
            said = self._judged(before, after)
            yield from self._change(f"sensitivity {name}", before.value, after.value, said)

    def _judged(self, old: Estimate, new: Estimate) -> Assessment:
        places = [
            any(flag.startswith(_FROM_HOST) for flag in row.flags) for row in (self.old, self.new)
        ]
        if places[0] != places[1]:
            return Assessment("unknown", "one was taken on the host, the other on the device")
        if new.value is None:
            return Assessment("unknown", _gone(self.new, "accuracy"))
        return less(old, new)

    def _critical(self) -> list[str]:
        if self.limits.critical is not None:
            return [name for name in self.classes if name in self.limits.critical]
        known = target_names()
        names = [self.old.target] if self.old.target in known else known
        found = {name for target in names if target for name in self._critical_of(target)}
        return [name for name in self.classes if name in found]

    def _critical_of(self, target: str) -> dict[str, float]:
        return load_target(target).critical_of(self.classes)

    # ---- what it takes ----

    def _size(self) -> Iterator[Change]:
        old, new = self.old.size_bytes, self.new.size_bytes
        said = more(old, new, self.limits.tolerance) or Assessment("unknown", "no size now")
        yield from self._change("size, bytes", old, new, said)

    def _memory(self) -> Iterator[Change]:
        old, new = self.old.memory, self.new.memory
        if old is None:
            return
        before, after = old.rss_peak_delta_bytes, new.rss_peak_delta_bytes if new else None
        said = more(before, after, self.limits.loose_tolerance)
        if new is not None and new.definition != old.definition:
            said = Assessment("unknown", "it was measured in another way")
        said = said or Assessment("unknown", _gone(self.new, "memory"))
        yield from self._change("memory, bytes", before, after, said)

    def _energy(self) -> Iterator[Change]:
        old, new = self.old.energy, self.new.energy
        if old is None:
            return
        before, after = old.joules_per_inference, new.joules_per_inference if new else None
        said = more(before, after, self.limits.loose_tolerance)
        if new is not None and new.sensor != old.sensor:
            said = Assessment("unknown", f"another sensor: {old.sensor} before, {new.sensor} now")
        said = said or Assessment("unknown", _gone(self.new, "energy"))
        yield from self._change("energy, J", before, after, said)


def _gone(row: ResultRow, what: str) -> str:
    """Why a number is not there any more, by the row's own flag where it has one."""
    code = f"{what}-not-measured: "
    told = next((flag for flag in row.flags if flag.startswith((code, "emulated: "))), None)
    return told or f"{what} was not measured now"
