"""Latency of a trial's student on a named device, by edgekd's own benchmark."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from rich.console import Console

from edgekd.bench.devices import check_device
from edgekd.bench.report.flags import missing_sentence
from edgekd.bench.run.harness import run_benchmark
from edgekd.bench.run.request import BenchRequest
from edgekd.bench.subjects.labelled import data_of_run
from edgekd.errors import DeviceUnreachableError, InputError
from edgekd.models import read_card
from edgekd.tune.job import LOCAL

__all__ = ["Timing", "check_timing", "time_student"]

PRESET = "rapid"
_IMAGES = 32
_THIS_COMPUTER = "cpu"
"""The target that any computer is."""


@dataclass(frozen=True)
class Timing:
    """Time of the model call.

    Attributes:
        p50: Median milliseconds of an image.
        flagged: Whether the benchmark calls the times doubtful.
    """

    p50: float
    flagged: bool


def check_timing(device: str, *, workers: int, lowered: str | None) -> None:
    """Refuse a measurement whose times would say nothing.

    Raises:
        InputError: There is no such device, it runs no float student, or other trials would be
            trained beside the measurement.
    """
    if device == LOCAL:
        if workers > 1:
            message = (
                "latency on this machine would be measured beside the training of other trials"
            )
            hint = "give --workers 1, another --device, or --cost macs"
            raise InputError(message, hint)
        return
    check_device(device)
    if lowered is None:
        message = f"{device} runs lowered files, and the search trains float students"
        raise InputError(message, "add --lowered TARGET, or take --device local")


def time_student(run: Path, bundle: Path | None, device: str, out: Path) -> Timing:
    """Median time of the model call of a student, or of its bundle.

    One measurement at a time: the device's lock is in the folder of the search.

    Args:
        run: Folder with the student.
        bundle: The bundle to time; None times the float student by PyTorch on this machine.
        device: `local`, or a name as for `edgekd bench --device`.
        out: Folder of the search.

    Raises:
        DeviceUnreachableError: The device gave no time.
    """
    student = run / "student"
    data = data_of_run(student, read_card(student), part="validation").limited(_IMAGES)
    request = BenchRequest(
        device=_THIS_COMPUTER if device == LOCAL else device,
        data=data,
        bundles=[bundle] if bundle else [],
        student=None if bundle else student,
        preset=PRESET,
        command="edgekd tune",
    )
    with FileLock(out / ".device.lock"), Path(os.devnull).open("w") as nowhere:
        result = run_benchmark(request, console=Console(file=nowhere))
    (row,) = result.rows
    if row.latency_ms is None:
        reasons = "; ".join(missing_sentence(missing) for missing in result.missing)
        message = f"{device} gave no time: {reasons or 'it was not measured'}"
        raise DeviceUnreachableError(message, "check it with `edgekd doctor --device`")
    return Timing(row.latency_ms.model.p50, not row.valid)
