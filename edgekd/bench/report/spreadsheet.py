"""Every number as CSV: one line per row and device."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekd.bench.report.marked_rows import presentable
from edgekd.bench.result import (
    Estimate,
    Latency,
    LatencySeries,
    Result,
    ResultRow,
    TeacherComparison,
    ThreadPoint,
)
from edgekd.bench.result.statistics import block_spread
from edgekd.bench.task import METRIC_MEANINGS
from edgekd.errors import InputError
from edgekd.files import write_atomically

__all__ = ["COLUMNS", "csv_of", "write_csv"]

_SERIES = {"model": "the runtime call alone", "end_to_end": "encoded photo to decision"}
_STATISTICS = {
    "p50": "median",
    "p90": "90th percentile (nearest rank)",
    "p95": "95th percentile, from 200 runs on",
    "p99": "99th percentile, from 1,000 runs on",
    "mean": "mean",
    "std": "standard deviation",
    "min": "fastest run",
    "max": "slowest run",
}


def _columns() -> dict[str, str]:
    columns = {
        "device_name": "Device that the numbers are about",
        "device_kind": "How it was reached: local, ssh, adb, emulated, not-configured",
        "device_emulated": "true where an emulator ran the file; then times and memory are empty",
        "result_created": "When the result was written (ISO 8601)",
        "schema_version": "Version of the result's schema",
        "data_name": "Data set",
        "data_split": "Part of it",
        "data_images": "Number of images",
        "data_sha256": "Hash of the list of images",
        "row_name": "Name of the row",
        "row_role": "teacher, student or artefact",
        "target": "Kind of device it is built for",
        "backend": "Engine",
        "precision": "Precision of the weights",
        "file_sha256": "Hash of the model file: the same file on several devices has the same",
        "parameters": "Number of parameters",
        "macs": "Multiply-accumulates per image",
        "size_bytes": "Size of the model files",
        "valid": "Whether nothing speaks against the times",
        "flags": "What limits the numbers, separated by ' | '",
    }
    for name, meaning in METRIC_MEANINGS.items():
        columns |= _estimate_columns(name, f"{meaning} (0 to 1)")
    columns |= _estimate_columns(
        "balanced_accuracy_delta_to_teacher", "Balanced accuracy less the teacher's, paired"
    )
    columns |= _estimate_columns(
        "quadratic_kappa_delta_to_teacher", "Quadratic kappa less the teacher's, paired"
    )
    columns |= {
        "margin_metric": "Metric that the non-inferiority margin holds for",
        "margin": "How much of it a file may lose against the teacher",
        "margin_policy": "Policy that sets the margin",
        "margin_state": "not-inferior, inferior or not-shown, by the paired 95 % interval",
        "research": "true where a bundle was built although it is below a floor of its policy, "
        "or is not certified",
        "below_floors": "Those floors, separated by ' | '",
        "agreement_with_teacher": "Share of images with the teacher's answer",
        "flips_against_teacher": "Number of images with another answer than the teacher's",
        "flips_against_student": "Number of images with another answer than the float student's",
        "speedup_p50_against_teacher": "Teacher's p50 of the model over this row's",
        "size_ratio_teacher_over_row": "Teacher's size over this row's",
        "parameter_ratio_teacher_over_row": "Teacher's parameters over this row's",
    }
    for series, span in _SERIES.items():
        columns |= _latency_columns(series, span)
    columns |= {
        "load_ms": "From the file to a session that is ready",
        "first_inference_ms": "First image after loading",
        "memory_rss_peak_delta_bytes": "Peak resident memory above the state before loading",
        "memory_rss_peak_bytes": "Peak resident memory of the process",
        "memory_definition": "How memory was measured",
        "energy_joules_per_inference": "(active less idle power) times p50",
        "energy_active_watts": "Mean power while running",
        "energy_idle_watts": "Mean power while idle",
        "energy_sensor": "What measured it",
    }
    for name in ("answered", "referred", "retaken"):
        columns |= _estimate_columns(f"decisions_{name}", f"Share of images that were {name}")
    columns["thread_sweep"] = "threads:p50:p90 in milliseconds, separated by spaces"
    columns["sustained_minutes"] = "minute:p50:p90 in milliseconds, separated by spaces"
    return columns


def _estimate_columns(name: str, meaning: str) -> dict[str, str]:
    return {
        name: meaning,
        f"{name}_interval_low": f"{meaning}; lower bound of the 95 % interval",
        f"{name}_interval_high": f"{meaning}; upper bound of the 95 % interval",
    }


def _latency_columns(series: str, span: str) -> dict[str, str]:
    columns = {f"latency_{series}_span": f"What was timed ({span})"}
    for name, meaning in _STATISTICS.items():
        columns[f"latency_{series}_{name}_ms"] = f"Milliseconds per image, {span}: {meaning}"
        if name in ("p50", "p90"):
            for bound in ("low", "high"):
                key = f"latency_{series}_{name}_ms_interval_{bound}"
                columns[key] = f"The same: {bound} bound of its 95 % interval"
    columns[f"latency_{series}_runs"] = "Number of timed runs"
    columns[f"latency_{series}_outliers"] = (
        "How many of them lie far above the rest; none is left out"
    )
    columns[f"latency_{series}_block_medians_ms"] = (
        "Medians of the run's five parts in order, separated by spaces; without differences of "
        "the images"
    )
    columns[f"latency_{series}_block_spread"] = (
        "The slowest of these medians over the fastest, less 1"
    )
    return columns


COLUMNS: dict[str, str] = _columns()
"""Every column that is always there, with its meaning.

Sensitivity and specificity of each class follow as `sensitivity_<class>` and `specificity_<class>`
with bounds and `images_<class>`; a task's own measures as `<measure>` and
`<measure>_delta_to_teacher` with bounds."""


def write_csv(results: Sequence[Result], out: Path) -> None:
    """Write the CSV, whole or not at all.

    Raises:
        InputError: The place cannot be written to.
    """
    try:
        write_atomically(out, csv_of(results))
    except OSError as error:
        message = f"cannot write the table to {out}: {error.strerror}"
        raise InputError(message, "choose another place for --csv") from error


def csv_of(results: Sequence[Result]) -> str:
    """The CSV as text; a number that is not known is an empty cell."""
    lines = [_line(result, row) for result in map(presentable, results) for row in result.rows]
    own = dict.fromkeys(key for line in lines for key in line if key not in COLUMNS)
    heads = [*COLUMNS, *own]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, heads, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in line.items()} for line in lines)
    return stream.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    # A spreadsheet takes text that starts like this for a formula.
    return f"'{text}" if isinstance(value, str) and text[:1] in ("=", "+", "-", "@") else text


def _line(result: Result, row: ResultRow) -> dict[str, Any]:
    device, data = result.device, result.data
    line: dict[str, Any] = {
        "device_name": device.name,
        "device_kind": device.kind,
        "device_emulated": device.emulated,
        "result_created": result.created,
        "schema_version": result.schema_version,
        "data_name": data.name,
        "data_split": data.split,
        "data_images": data.n,
        "data_sha256": data.sha256,
        "row_name": row.name,
        "row_role": row.role,
        "target": row.target,
        "backend": row.backend,
        "precision": row.precision,
        "file_sha256": row.sha256,
        "parameters": row.params,
        "macs": row.macs,
        "size_bytes": row.size_bytes,
        "valid": row.valid,
        "flags": " | ".join(map(str, row.flags)),
        "flips_against_student": row.flipped,
        "research": row.research,
        "below_floors": " | ".join(row.below_floors),
    }
    return line | _accuracy(row) | _latency(row.latency_ms) | _resources(row) | _series(row)


def _accuracy(row: ResultRow) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    if row.metrics is not None:
        for name in METRIC_MEANINGS:
            cells |= _estimate(name, getattr(row.metrics, name))
        for name, measure in row.metrics.measures.items():
            cells |= _estimate(name, measure)
        for name, each in row.metrics.per_class.items():
            cells[f"images_{name}"] = each.n
            cells |= _estimate(f"sensitivity_{name}", each.sensitivity)
            cells |= _estimate(f"specificity_{name}", each.specificity)
    if row.vs_teacher is not None:
        cells |= _beside_teacher(row.vs_teacher)
    return cells


def _beside_teacher(versus: TeacherComparison) -> dict[str, Any]:
    cells: dict[str, Any] = {
        "agreement_with_teacher": versus.agreement,
        "flips_against_teacher": versus.flips,
        "speedup_p50_against_teacher": versus.speedup_p50,
        "size_ratio_teacher_over_row": versus.size_ratio,
        "parameter_ratio_teacher_over_row": versus.params_ratio,
    }
    for key in ("balanced_accuracy", "quadratic_kappa", *versus.deltas):
        cells |= _estimate(f"{key}_delta_to_teacher", versus.delta(key))
    margin = versus.margin
    if margin is not None:
        cells |= {
            "margin_metric": margin.metric,
            "margin": margin.margin,
            "margin_policy": margin.policy,
            "margin_state": margin.state,
        }
    return cells


def _estimate(name: str, estimate: Estimate | None) -> dict[str, Any]:
    if estimate is None:
        return {}
    return {
        name: estimate.value,
        f"{name}_interval_low": estimate.low,
        f"{name}_interval_high": estimate.high,
    }


def _latency(latency: Latency | None) -> dict[str, Any]:
    if latency is None:
        return {}
    cells: dict[str, Any] = {
        "load_ms": latency.load_ms,
        "first_inference_ms": latency.first_ms,
        "latency_model_span": latency.model_span,
        "latency_end_to_end_span": latency.end_to_end_span,
    }
    for name in _SERIES:
        series: LatencySeries | None = getattr(latency, name)
        if series is None:
            continue
        cells |= {f"latency_{name}_{key}_ms": getattr(series, key) for key in _STATISTICS}
        cells[f"latency_{name}_runs"] = series.n
        cells[f"latency_{name}_outliers"] = series.outliers
        medians = series.block_medians
        cells[f"latency_{name}_block_medians_ms"] = " ".join(f"{each:.6g}" for each in medians)
        cells[f"latency_{name}_block_spread"] = block_spread(medians)
        for key, bounds in (("p50", series.p50_interval), ("p90", series.p90_interval)):
            low, high = bounds or (None, None)
            cells[f"latency_{name}_{key}_ms_interval_low"] = low
            cells[f"latency_{name}_{key}_ms_interval_high"] = high
    return cells


def _resources(row: ResultRow) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    if row.memory is not None:
        cells |= {
            "memory_rss_peak_delta_bytes": row.memory.rss_peak_delta_bytes,
            "memory_rss_peak_bytes": row.memory.rss_peak_bytes,
            "memory_definition": row.memory.definition,
        }
    if row.energy is not None:
        energy = row.energy
        cells |= {
            "energy_joules_per_inference": energy.joules_per_inference,
            "energy_active_watts": energy.active_watts,
            "energy_idle_watts": energy.idle_watts,
            "energy_sensor": energy.sensor,
        }
    return cells


def _swept(point: ThreadPoint) -> str:
    slow = "" if point.p90 is None else f"{point.p90:.6g}"
    return f"{point.threads}:{point.p50:.6g}:{slow}"


def _series(row: ResultRow) -> dict[str, Any]:
    cells: dict[str, Any] = {
        "thread_sweep": " ".join(map(_swept, row.sweep)),
        "sustained_minutes": " ".join(f"{m.minute}:{m.p50:.6g}:{m.p90:.6g}" for m in row.sustained),
    }
    if row.decisions is not None:
        for name in ("answered", "referred", "retaken"):
            cells |= _estimate(f"decisions_{name}", getattr(row.decisions, name))
    return cells
