"""The processor's clock, and what holds it back, from folders like the kernel's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgekd.bench.measure.clock import CoreClock, core_clock, pi_bits, throttling
from edgekd.bench.measure.disturbances import Counters, between

CORES = sorted(os.sched_getaffinity(0))


def write(root: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{content}\n")
    return root


def cpufreq(core: int, **values) -> dict[str, object]:
    folder = f"sys/devices/system/cpu/cpu{core}/cpufreq"
    return {f"{folder}/{name}": value for name, value in values.items()}


def zone(degrees: int, **trips) -> dict[str, object]:
    folder = "sys/class/thermal/thermal_zone0"
    files: dict[str, object] = {f"{folder}/type": "cpu-thermal", f"{folder}/temp": degrees}
    for index, (kind, at) in enumerate(trips.items()):
        files[f"{folder}/trip_point_{index}_type"] = kind
        files[f"{folder}/trip_point_{index}_temp"] = at
    return files


def none() -> None:
    return None


def test_the_fastest_usable_core_counts(tmp_path):
    for core in CORES:
        values = {"scaling_cur_freq": 600_000, "scaling_max_freq": 1_800_000}
        write(tmp_path, cpufreq(core, **values, cpuinfo_max_freq=2_400_000))
        write(tmp_path, cpufreq(core, scaling_governor="schedutil"))
    write(tmp_path, cpufreq(CORES[-1], scaling_cur_freq=1_500_000))
    write(tmp_path, cpufreq(max(CORES) + 1, scaling_cur_freq=9_000_000))  # not usable
    clock = core_clock(tmp_path)
    assert clock == CoreClock(now=1500, limit=1800, rated=2400, governor="schedutil")


def test_no_clock_is_told_where_none_is(tmp_path):
    assert core_clock(tmp_path) == CoreClock()


@pytest.mark.parametrize(
    ("degrees", "trips", "signs"),
    [
        (84_900, {"passive": 85_000}, []),
        (85_000, {"passive": 85_000}, ["cpu-thermal has 85 °C, its passive limit is 85 °C"]),
        (70_000, {"active": 50_000, "critical": 110_000}, []),  # a fan, and far below
        (70_000, {"passive": 0, "hot": -273_150}, []),  # switched off
    ],
)
def test_trip_points(tmp_path, degrees, trips, signs):
    write(tmp_path, zone(degrees, **trips))
    assert throttling(tmp_path, firmware=none).signs == signs


def test_cooling_that_slows_the_processor(tmp_path):
    folder = "sys/class/thermal/cooling_device"
    write(tmp_path, {f"{folder}0/type": "pwm-fan", f"{folder}0/cur_state": 3})
    assert throttling(tmp_path, firmware=none).signs == []
    write(tmp_path, {f"{folder}1/type": "cpufreq-cpu0", f"{folder}1/cur_state": 2})
    (sign,) = throttling(tmp_path, firmware=none).signs
    assert sign == "the cooling device cpufreq-cpu0 slows it by 2 steps"


@pytest.mark.parametrize(
    ("bits", "signs"),
    [
        (0x0, []),
        (0x50000, []),  # it was once, and is not now
        (0x50005, ["its supply voltage is too low", "it is throttled"]),
        (0x80008, ["its soft limit of temperature is reached"]),
    ],
)
def test_the_firmware_of_a_raspberry_pi(tmp_path, bits, signs):
    assert throttling(tmp_path, firmware=lambda: bits).signs == signs


def test_what_the_firmware_saw_in_between_is_a_sign(tmp_path):
    def reading(bits: int) -> Counters:
        held = throttling(tmp_path, firmware=lambda: bits)
        return Counters(monotonic=0, wall=0, throttling=held)

    assert between(reading(0x0), reading(0x40000)).throttled == ["it is throttled"]
    assert between(reading(0x40000), reading(0x40000)).throttled == []
    assert between(reading(0x40004), reading(0x40000)).throttled == ["it is throttled"]


def test_counted_throttling_of_x86(tmp_path):
    file = f"sys/devices/system/cpu/cpu{CORES[0]}/thermal_throttle/package_throttle_count"

    def reading(count: int) -> Counters:
        write(tmp_path, {file: count})
        return Counters(monotonic=0, wall=0, throttling=throttling(tmp_path, firmware=none))

    begin = reading(7)
    assert between(begin, reading(7)).throttled == []
    assert between(begin, reading(9)).throttled == [f"cpu{CORES[0]} counted a package throttle"]


def test_vcgencmd_is_asked_where_it_is(tmp_path, monkeypatch):
    """A real program of that name: on a board it is the firmware's."""
    command = tmp_path / "vcgencmd"
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    command.write_text('#!/bin/sh\n[ "$1" = get_throttled ] && echo throttled=0x50005\n')
    command.chmod(0o755)
    assert pi_bits() == 0x50005
    command.write_text("#!/bin/sh\necho 'VCHI initialization failed'\nexit 255\n")
    assert pi_bits() is None
    command.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pi_bits() is None
