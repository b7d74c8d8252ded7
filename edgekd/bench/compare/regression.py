"""Comparison of a result with an earlier one: changes beyond chance, not every difference.

Rows are matched by role, name, target and precision; `edgekd.bench.compare.assessment` says when a
number is worse. A number that the new result lacks, and times that are not valid, are `unknown`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from edgekd.bench.compare.assessment import (
    Assessment,
    ChangeKind,
    assess_amounts,
    assess_estimates,
    assess_times,
)
from edgekd.bench.measure.flags import NOT_MEASURED, has_code
from edgekd.bench.result import Estimate, LatencySeries, PolicyFacts, Result, ResultRow
from edgekd.bench.subjects.policy import policy_facts
from edgekd.bench.task import MetricColumn, ReportTask, report_task
from edgekd.errors import InputError
from edgekd.policy import DEFAULT_POLICY

__all__ = ["METRICS", "Change", "RegressionLimits", "Regressions", "compare_results"]

METRICS = ("latency", "accuracy", "sensitivity", "size", "memory", "energy")
_TIMED = ("latency", "memory", "energy")
_ON_IMAGES = ("accuracy", "sensitivity")
_MACHINE = ("model", "cpu", "machine", "cores_usable")


@dataclass(frozen=True)
class RegressionLimits:
    """The compared metrics, and the tolerances.

    Attributes:
        metrics: Some of `METRICS`.
        tolerance: Relative tolerance for latency and size; 0.05 allows 5 %.
        loose_tolerance: The same for memory and energy, which vary more between processes.
        critical: Classes whose sensitivity is compared; None takes those of the policy that the
            bundle or the result records, else of `policy`.
        policy: Name or file of a policy.
    """

    metrics: Sequence[str] = METRICS
    tolerance: float = 0.05
    loose_tolerance: float = 0.10
    critical: Sequence[str] | None = None
    policy: str = DEFAULT_POLICY

    def check(self) -> None:
        """Refuse limits that make no sense.

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
        metric: Name of the number, with its unit.
        verdict: Kind of the change; `unknown` where there is no evidence.
        old: Before, or null.
        new: After, or null.
        words: The reason in words.
    """

    row: str
    metric: str
    verdict: ChangeKind
    old: float | None = None
    new: float | None = None
    words: str = ""


class Regressions(msgspec.Struct, frozen=True, kw_only=True):
    """All changes, row by row; `added` are rows that only the new result has."""

    changes: list[Change]
    added: list[str] = []

    def of(self, verdict: ChangeKind) -> list[Change]:
        """The changes with that verdict."""
        return [change for change in self.changes if change.verdict == verdict]

    def exit_code(self, *, strict: bool = False) -> int:
        """4 for a regression, with `strict` also where evidence is missing; else 0."""
        return 4 if self.of("regression") or (strict and self.of("unknown")) else 0


def compare_results(
    old: Result, new: Result, limits: RegressionLimits | None = None
) -> Regressions:
    """Compare the rows that both results have.

    Args:
        old: The earlier result.
        new: The result to check.
        limits: The compared metrics, and the tolerances.

    Raises:
        InputError: The results differ in their images, device or timed span, or the limits make
            no sense.
    """
    limits = limits or RegressionLimits()
    limits.check()
    _check_comparable(old, new, limits.metrics)
    task, same_teacher = report_task(old.task), _same_teacher(old, new)
    default = old.policy or policy_facts(limits.policy, old.data.classes)
    before, after = ({_key(row): row for row in result.rows} for result in (old, new))
    changes: list[Change] = []
    for key, row in before.items():
        if key not in after:
            reason = "the new result has no such row"
            changes.append(Change(row=row.name, metric="row", verdict="unknown", words=reason))
            continue
        critical = _critical(limits, row.policy or default, old.data.classes)
        pair = _Pair(row, after[key], limits, same_teacher, task, critical)
        changes += pair.changes()
    added = [row.name for key, row in after.items() if key not in before]
    return Regressions(changes=changes, added=added)


def _critical(
    limits: RegressionLimits, policy: PolicyFacts, classes: Sequence[str]
) -> tuple[str, ...]:
    critical = policy.critical if limits.critical is None else limits.critical
    return tuple(name for name in classes if name in critical)


def _key(row: ResultRow) -> tuple[str | None, ...]:
    return (row.role, row.name, row.target, row.precision)


def _check_comparable(old: Result, new: Result, metrics: Sequence[str]) -> None:
    if old.task != new.task:
        message = f"the tasks differ: {old.task} before, {new.task} now"
        raise InputError(message, "compare results of the same task")
    on_images = [name for name in metrics if name in _ON_IMAGES]
    if on_images and old.data.sha256 != new.data.sha256:
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
    task: ReportTask
    critical: tuple[str, ...]

    def changes(self) -> list[Change]:
        """Changes of all requested metrics that the old row has."""
        comparisons = {
            "latency": self._latency,
            "accuracy": self._accuracy,
            "sensitivity": self._sensitivities,
            "size": self._size,
            "memory": self._memory,
            "energy": self._energy,
        }
        requested = (comparisons[name] for name in METRICS if name in self.limits.metrics)
        return [change for compare in requested for change in compare()]

    def _change(
        self, metric: str, old: float | None, new: float | None, assessment: Assessment
    ) -> Iterator[Change]:
        """The change; nothing where the old result lacks the number."""
        if old is not None:
            yield Change(
                row=self.old.name,
                metric=metric,
                verdict=assessment.kind,
                old=old,
                new=new,
                words=assessment.reason,
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
        objection = self._objection_to_times()
        for span, before, after in (
            ("model", old.model, new.model if new else None),
            ("end to end", old.end_to_end, new.end_to_end if new else None),
        ):
            yield from self._series(span, before, after, objection)

    def _series(
        self, span: str, old: LatencySeries | None, new: LatencySeries | None, objection: str
    ) -> Iterator[Change]:
        if old is None:
            return
        for name in ("p50", "p90"):
            before, after = getattr(old, name), getattr(new, name, None)
            intervals = (getattr(each, f"{name}_interval", None) for each in (old, new))
            old_interval, new_interval = intervals
            if objection or before is None or after is None:
                assessment = Assessment(
                    "unknown", objection or _reason_for_null(self.new, "latency")
                )
            elif old_interval is None or new_interval is None:
                reason = "the timing program keeps no samples, hence no interval"
                assessment = Assessment("unknown", reason)
            else:
                assessment = assess_times(
                    before, after, old_interval, new_interval, self.limits.tolerance
                )
            yield from self._change(f"{name} {span}, ms", before, after, assessment)

    def _objection_to_times(self) -> str:
        """Why the times cannot be compared; empty where they can."""
        for when, row in (("before", self.old), ("now", self.new)):
            if not row.valid:
                reasons = "; ".join(map(str, row.flags)) or "no reason given"
                return f"its times are not valid {when}: {reasons}"
        threads = [row.runtime.get("threads") for row in (self.old, self.new)]
        return f"{threads[0]} threads before, {threads[1]} now" if threads[0] != threads[1] else ""

    # ---- answers ----

    def _accuracy(self) -> Iterator[Change]:
        if self.old.metrics is not None:
            for column in self.task.regression_columns(self.old.metrics):
                yield from self._metric(column, column.title.lower())

    def _sensitivities(self) -> Iterator[Change]:
        for column in self.task.critical_columns(self.critical):
            yield from self._metric(column, f"{column.key} {column.member}")

    def _metric(self, column: MetricColumn, name: str) -> Iterator[Change]:
        before = column.estimate(self.old.metrics)
        if before is None:
            return
        after = column.estimate(self.new.metrics) or Estimate(value=None)
        compared = self._teacher_deltas(column) or (before, after)
        assessment = self._assess(*compared, percent=column.percent)
        yield from self._change(name, before.value, after.value, assessment)

    def _teacher_deltas(self, column: MetricColumn) -> tuple[Estimate, Estimate] | None:
        """Paired (narrower) differences where both results have the same teacher; else None."""
        before, after = (column.delta(row.vs_teacher) for row in (self.old, self.new))
        if not self.same_teacher or before is None or after is None:
            return None
        return before, after

    def _assess(self, old: Estimate, new: Estimate, *, percent: bool) -> Assessment:
        places = [has_code(row.flags, "accuracy-from-host") for row in (self.old, self.new)]
        if places[0] != places[1]:
            return Assessment("unknown", "one was measured on the host, the other on the device")
        if new.value is None:
            return Assessment("unknown", _reason_for_null(self.new, "accuracy"))
        return assess_estimates(old, new, percent=percent)

    # ---- resources ----

    def _size(self) -> Iterator[Change]:
        old, new = self.old.size_bytes, self.new.size_bytes
        assessment = assess_amounts(old, new, self.limits.tolerance) or Assessment(
            "unknown", "no size now"
        )
        yield from self._change("size, bytes", old, new, assessment)

    def _memory(self) -> Iterator[Change]:
        old, new = self.old.memory, self.new.memory
        if old is None:
            return
        before, after = old.rss_peak_delta_bytes, new.rss_peak_delta_bytes if new else None
        assessment = assess_amounts(before, after, self.limits.loose_tolerance)
        if new is not None and new.definition != old.definition:
            assessment = Assessment("unknown", "it was measured in another way")
        assessment = assessment or Assessment("unknown", _reason_for_null(self.new, "memory"))
        yield from self._change("memory, bytes", before, after, assessment)

    def _energy(self) -> Iterator[Change]:
        old, new = self.old.energy, self.new.energy
        if old is None:
            return
        before, after = old.joules_per_inference, new.joules_per_inference if new else None
        assessment = assess_amounts(before, after, self.limits.loose_tolerance)
        if new is not None and new.sensor != old.sensor:
            assessment = Assessment(
                "unknown", f"another sensor: {old.sensor} before, {new.sensor} now"
            )
        assessment = assessment or Assessment("unknown", _reason_for_null(self.new, "energy"))
        yield from self._change("energy, J", before, after, assessment)


def _reason_for_null(row: ResultRow, kind: str) -> str:
    """Why a number is null now, by the row's own flag where it has one."""
    explaining = (NOT_MEASURED[kind], "emulated")
    flag = next((flag for flag in row.flags if flag.code in explaining), None)
    return f"{kind} was not measured now" if flag is None else str(flag)
