"""Electric power by a sensor of the device or by an external meter; without one, no number.

Two sensors are supported: INA3221 of the Jetson boards (present power of each rail) and RAPL of x86
(accumulated energy). The host reads an external meter (`edgekd.bench.meter`) and needs to know when
the work was done. An estimate from a data sheet would be no measurement.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from edgekd.bench.measure.sysfs import number, text
from edgekd.bench.measure.timing import Call
from edgekd.errors import InputError

__all__ = [
    "EnergyAnswer",
    "PowerSensor",
    "WorkTimes",
    "find_power_sensor",
    "joules_per_inference",
    "measure_energy",
    "sensor_facts",
    "time_work",
    "why_no_sensor",
]

_ROOT = Path("/")
_INA3221 = "sys/bus/i2c/drivers/ina3221"
_RAPL = "sys/class/powercap"
_CHANNELS = (1, 2, 3)
_WHOLE_BOARD = ("VDD_IN", "POM_5V_IN")
"""Rails that feed all others (NVIDIA, Jetson Linux Developer Guide, "Jetson Module Power
Monitors"). On a board without such a rail, no rail feeds another: their sum counts."""
_UNUSED = ("NC",)
_SAMPLE_SECONDS = 0.05
SHORTEST_SECONDS = 0.2
SHORTEST_METERED_SECONDS = 2.0
"""Shortest part for an external meter, which reports power a few times a second at best."""


class EnergyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Mean power with and without the work.

    Attributes:
        active_watts: Mean power while images were run one after the other.
        idle_watts: Mean power before that, with the model loaded and nothing running.
        sensor: The sensor, and what it measures.
        runs: Number of images that were run.
        seconds: Duration of the active part.
    """

    active_watts: float
    idle_watts: float
    sensor: str
    runs: int
    seconds: float


class WorkTimes(msgspec.Struct, frozen=True, kw_only=True):
    """When a device idled and when it worked, in seconds of its monotonic clock.

    The wall clock of a board without a battery can be set by the network at any moment.

    Attributes:
        began: When the measuring process was started, or a little later; never earlier.
        idle: Begin and end of the part without work.
        active: Begin and end of the part in which images were run one after the other.
        runs: Number of images that were run.
    """

    began: float
    idle: tuple[float, float]
    active: tuple[float, float]
    runs: int


class PowerSensor(Protocol):
    """A power sensor of the device."""

    @property
    def name(self) -> str:
        """The sensor, and what it measures."""

    def mean_watts(self, work: Callable[[], None]) -> float:
        """Mean power while `work` runs."""


def find_power_sensor(root: Path = _ROOT) -> PowerSensor | None:
    """A power sensor of this device that can be read; None without one, see `why_no_sensor`.

    Args:
        root: Where `sys` is.
    """
    rails = [rail for rail in _rails(root) if rail.watts() is not None]
    if rails:
        return Ina3221(_feeding(rails))
    zones = [zone for zone in _packages(root) if number(zone.file) is not None]
    return Rapl(zones) if zones else None


def sensor_facts() -> dict[str, str]:
    """The power sensor as a fact of the device; empty without one."""
    sensor = find_power_sensor()
    return {} if sensor is None else {"power_sensor": sensor.name}


def why_no_sensor(root: Path = _ROOT) -> str:
    """The reason why `find_power_sensor` returned None, for the user."""
    if files := [zone.file for zone in _packages(root)]:
        return f"{files[0]} may only be read by root"
    return "this device has no power sensor that is known (INA3221, RAPL)"


def measure_energy(call: Call, seconds: float, sensor: PowerSensor) -> EnergyAnswer:
    """Mean power without work and then with it, each for `seconds`.

    Args:
        call: Runs the n-th image. The engine must be warm.
        seconds: Duration of each part.
        sensor: From `find_power_sensor`.

    Raises:
        InputError: The time is too short for a sensor.
    """
    if seconds < SHORTEST_SECONDS:
        message = f"{seconds:g} s are too short for a power sensor"
        raise InputError(message, f"give {SHORTEST_SECONDS:g} s or more; ten are usual")
    idle = sensor.mean_watts(lambda: time.sleep(seconds))
    work = _Work(call, seconds)
    active = sensor.mean_watts(work)
    return EnergyAnswer(
        active_watts=active,
        idle_watts=idle,
        sensor=sensor.name,
        runs=work.runs,
        seconds=work.seconds,
    )


def time_work(call: Call, seconds: float, began: float) -> WorkTimes:
    """Idle and work as `measure_energy` does, for an external meter on the whole device.

    Args:
        call: Runs the n-th image. The engine must be warm.
        seconds: Duration of each part.
        began: From `edgekd.bench.measure.process_start.process_start_time`.
    """
    idle = time.monotonic()
    time.sleep(seconds)
    busy = time.monotonic()
    work = _Work(call, seconds)
    work()
    end = time.monotonic()
    return WorkTimes(began=began, idle=(idle, busy), active=(busy, end), runs=work.runs)


class _Work:
    """Runs images one after the other for a given time."""

    def __init__(self, call: Call, seconds: float) -> None:
        self._call, self._wanted = call, seconds
        self.runs, self.seconds = 0, 0.0

    def __call__(self) -> None:
        start = time.perf_counter()
        while self.seconds < self._wanted:
            self._call(self.runs)
            self.runs += 1
            self.seconds = time.perf_counter() - start


def joules_per_inference(energy: EnergyAnswer, p50_ms: float) -> float | None:
    """Joules: (active − idle power) · p50; None where the sensor shows no difference."""
    watts = energy.active_watts - energy.idle_watts
    return watts * p50_ms / 1000 if watts > 0 else None


class Rail(NamedTuple):
    """One channel of an INA3221: hwmon's millivolts and milliamperes."""

    label: str
    millivolts: Path
    milliamperes: Path

    def watts(self) -> float | None:
        """Power now; None where it cannot be read."""
        volts, amperes = number(self.millivolts), number(self.milliamperes)
        return None if volts is None or amperes is None else volts * amperes / 1e6


class Ina3221:
    """Power of rails by INA3221, sampled by a thread, since it reports only the present power."""

    def __init__(self, rails: list[Rail]) -> None:
        self._rails = rails

    @property
    def name(self) -> str:
        """The rails by their labels."""
        return f"INA3221 {' + '.join(rail.label for rail in self._rails)}"

    def mean_watts(self, work: Callable[[], None]) -> float:
        """See `PowerSensor`: mean of a sample at each end and 20 a second in between."""
        done = threading.Event()
        samples = [self._watts()]

        def sample() -> None:
            while not done.wait(_SAMPLE_SECONDS):
                samples.append(self._watts())

        thread = threading.Thread(target=sample, daemon=True)
        thread.start()
        try:
            work()
            samples.append(self._watts())
        finally:
            done.set()
            thread.join()
        return sum(samples) / len(samples)

    def _watts(self) -> float:
        return sum(rail.watts() or 0.0 for rail in self._rails)


class Zone(NamedTuple):
    """A RAPL counter: microjoules that wrap around after `span`."""

    name: str
    file: Path
    span: int


class Rapl:
    """Energy of the processor packages by RAPL.

    A counter may wrap around once within a measurement: its span is hundreds of kilojoules, which a
    package of 100 W uses in most of an hour.
    """

    def __init__(self, zones: list[Zone]) -> None:
        self._zones = zones

    @property
    def name(self) -> str:
        """The packages by their names."""
        return f"RAPL {' + '.join(zone.name for zone in self._zones)}"

    def mean_watts(self, work: Callable[[], None]) -> float:
        """See `PowerSensor`."""
        begin, start = self._counts(), time.perf_counter()
        work()
        end, seconds = self._counts(), time.perf_counter() - start
        pairs = zip(self._zones, begin, end, strict=True)
        joules = sum(_risen(before, after, zone.span) for zone, before, after in pairs) / 1e6
        return joules / seconds

    def _counts(self) -> list[int]:
        return [number(zone.file) or 0 for zone in self._zones]


def _risen(before: int, after: int, span: int) -> int:
    return after - before if after >= before else after + span - before


def _rails(root: Path) -> list[Rail]:
    rails = []
    for folder in sorted((root / _INA3221).glob("*/hwmon/hwmon*")):
        for channel in _CHANNELS:
            label = text(folder / f"in{channel}_label") or f"channel {channel}"
            if label not in _UNUSED and number(folder / f"in{channel}_enable") != 0:
                files = (folder / f"in{channel}_input", folder / f"curr{channel}_input")
                rails.append(Rail(label, *files))
    return rails


def _feeding(rails: list[Rail]) -> list[Rail]:
    """The rail that feeds the board, or all rails where none does."""
    whole = [rail for rail in rails if rail.label in _WHOLE_BOARD]
    return whole[:1] or rails


def _packages(root: Path) -> list[Zone]:
    zones = []
    for folder in sorted((root / _RAPL).glob("intel-rapl:*")):
        name, span = text(folder / "name") or "", number(folder / "max_energy_range_uj")
        # Zone names with two colons are parts of a package; psys counts the packages again.
        if name.startswith("package") and span:
            zones.append(Zone(name, folder / "energy_uj", span))
    return zones
