"""What one run of the harness measures, on which device and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekd.bench.devices import check_device
from edgekd.bench.measure.timing import find_preset
from edgekd.bench.meter import PowerMeter
from edgekd.bench.subjects.data import BenchData
from edgekd.errors import InputError
from edgekd.policy import DEFAULT_POLICY, load_policy

__all__ = ["BenchRequest"]


@dataclass(frozen=True)
class BenchRequest:
    """One run of the harness.

    Attributes:
        device: Name of the device to measure.
        data: Labelled images.
        bundles: Bundles to measure.
        teacher: The teacher's checkpoint folder, or None.
        student: The float student's checkpoint folder, or None.
        preset: How long to measure.
        threads: Threads of the engines; None takes the device's big cores, at most 4.
        sweep: Further numbers of threads at which only the model is timed.
        minutes: Length of the sustained run of the preset `sustained`; None takes the preset's.
        limit: At most so many images, or None.
        command: The command line, for the report; None takes this process's.
        out: Where the result will be written, or None; measurements are stored beside it until
            the run is complete.
        wheelhouse: Wheels for a board that lacks packages and has no network, or None.
        meter: The file of a power meter in the device's supply, or None; see
            `edgekd.bench.meter.PowerMeter`.
        policy: Name or file of the policy whose margin and words hold for bundles that record none.
    """

    device: str
    data: BenchData
    bundles: Sequence[Path] = ()
    teacher: Path | None = None
    student: Path | None = None
    preset: str = "quick"
    threads: int | None = None
    sweep: tuple[int, ...] = ()
    minutes: int | None = None
    limit: int | None = None
    command: str | None = None
    out: Path | None = None
    wheelhouse: Path | None = None
    meter: Path | None = None
    policy: str = DEFAULT_POLICY

    def check(self) -> None:
        """Refuse what cannot be measured before anything is loaded.

        Raises:
            InputError: An unknown device or preset, no images, nothing to measure, bad numbers, a
                meter's or a policy's file that is wrong.
        """
        check_device(self.device)
        find_preset(self.preset, self.minutes)
        if not (self.bundles or self.teacher or self.student):
            message = "there is nothing to measure"
            raise InputError(message, "give --bundle, or --run with a trained teacher or student")
        if not self.data.images:
            raise InputError(
                "there are no images to measure on", "give a part of the data with images"
            )
        for option, number in (("--threads", self.threads), ("--limit", self.limit)):
            if number is not None and number < 1:
                raise InputError(f"{option} {number} is not positive", "give 1 or more")
        if self.meter is not None:
            PowerMeter(self.meter)
        load_policy(self.policy)
