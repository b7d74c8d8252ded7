"""Power sensors, from folders like the kernel's; the files change while work runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekd.bench.measure.energy import (
    EnergyAnswer,
    PowerSensor,
    find_power_sensor,
    joules_per_inference,
    measure_energy,
    why_no_sensor,
)
from edgekd.errors import InputError

CHIP = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"


def write(root: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{content}\n")
    return root


def rail(channel: int, label: str, millivolts: int, milliamperes: int, chip: str = CHIP):
    return {
        f"{chip}/in{channel}_label": label,
        f"{chip}/in{channel}_input": millivolts,
        f"{chip}/curr{channel}_input": milliamperes,
    }


def package(root: Path, microjoules: int, index: int = 0, span: int = 262_143_328_850) -> Path:
    zone = f"sys/class/powercap/intel-rapl:{index}"
    write(root, {f"{zone}/name": f"package-{index}", f"{zone}/max_energy_range_uj": span})
    return write(root, {f"{zone}/energy_uj": microjoules}) / zone / "energy_uj"


def timed(work: Callable[[], None], sensor: PowerSensor) -> tuple[float, float, float]:
    """Mean power of the work between the seconds of the work alone and those of the whole call."""
    inner = []

    def watched() -> None:
        start = time.perf_counter()
        work()
        inner.append(time.perf_counter() - start)

    start = time.perf_counter()
    watts = sensor.mean_watts(watched)
    return inner[0], watts, time.perf_counter() - start


def test_no_sensor_is_no_number(tmp_path):
    assert find_power_sensor(tmp_path) is None
    assert "no power sensor" in why_no_sensor(tmp_path)


def test_the_rail_that_feeds_a_jetson(tmp_path):
    write(tmp_path, rail(1, "VDD_IN", 5000, 1200) | rail(2, "VDD_CPU_GPU_CV", 5000, 400))
    sensor = find_power_sensor(tmp_path)
    assert sensor.name == "INA3221 VDD_IN"
    assert sensor.mean_watts(lambda: None) == pytest.approx(6.0)


def test_rails_side_by_side_are_added(tmp_path):
    other = CHIP.replace("0040", "0041").replace("hwmon3", "hwmon4")
    write(tmp_path, rail(1, "VDD_GPU_SOC", 20_000, 200) | rail(2, "NC", 20_000, 900))
    write(tmp_path, rail(1, "VIN_SYS_5V0", 5000, 800, other))
    write(tmp_path, rail(3, "OFF", 5000, 800, other) | {f"{other}/in3_enable": 0})
    sensor = find_power_sensor(tmp_path)
    assert sensor.name == "INA3221 VDD_GPU_SOC + VIN_SYS_5V0"
    assert sensor.mean_watts(lambda: None) == pytest.approx(8.0)


def test_a_rail_is_read_while_the_work_runs(tmp_path):
    write(tmp_path, rail(1, "VDD_IN", 5000, 1000))
    sensor = find_power_sensor(tmp_path)

    def work() -> None:
        write(tmp_path, rail(1, "VDD_IN", 5000, 3000))
        time.sleep(1.0)

    watts = sensor.mean_watts(work)
    # One sample of 5 W before, all others of 15 W: a mean of both ends would be 10.
    assert 10 < watts < 15


def test_rapl_counts_energy(tmp_path):
    package(tmp_path, 1_000_000)
    package(tmp_path, 0, index=1)
    sensor = find_power_sensor(tmp_path)
    assert sensor.name == "RAPL package-0 + package-1"

    def work() -> None:
        time.sleep(0.1)
        package(tmp_path, 3_000_000)
        package(tmp_path, 500_000, index=1)

    shortest, watts, longest = timed(work, sensor)
    assert 2.5 / longest <= watts <= 2.5 / shortest


def test_a_rapl_counter_that_wraps_around(tmp_path):
    span = 10_000_000
    package(tmp_path, 9_500_000, span=span)
    sensor = find_power_sensor(tmp_path)

    def work() -> None:
        time.sleep(0.1)
        package(tmp_path, 500_000, span=span)

    shortest, watts, longest = timed(work, sensor)
    assert 1.0 / longest <= watts <= 1.0 / shortest


def test_parts_of_a_package_and_the_whole_platform_are_not_counted_twice(tmp_path):
    package(tmp_path, 0)
    folder = "sys/class/powercap/intel-rapl:"
    for zone, name in (("0:0", "core"), ("1", "psys")):
        files = {"name": name, "max_energy_range_uj": 10, "energy_uj": 1}
        write(tmp_path, {f"{folder}{zone}/{key}": value for key, value in files.items()})
    assert find_power_sensor(tmp_path).name == "RAPL package-0"


def test_a_counter_that_cannot_be_read_is_no_sensor(tmp_path):
    file = package(tmp_path, 0)
    file.unlink()
    file.mkdir()  # reading it fails, even for root
    assert find_power_sensor(tmp_path) is None
    assert why_no_sensor(tmp_path).endswith("energy_uj may only be read by root")


def test_active_and_idle_power(tmp_path):
    write(tmp_path, rail(1, "VDD_IN", 5000, 800))
    calls = []

    def call(index: int) -> None:
        write(tmp_path, rail(1, "VDD_IN", 5000, 2000))
        calls.append(index)
        time.sleep(0.01)

    found = measure_energy(call, 0.3, find_power_sensor(tmp_path))
    assert found.idle_watts == pytest.approx(4.0)
    # The first sample was taken before the work; how many follow depends on the machine.
    assert 4.0 < found.active_watts <= 10.0
    assert found.sensor == "INA3221 VDD_IN"
    assert calls == list(range(found.runs))
    assert found.seconds >= 0.3


def test_too_short_a_time_is_refused(tmp_path):
    write(tmp_path, rail(1, "VDD_IN", 5000, 800))
    with pytest.raises(InputError, match="too short"):
        measure_energy(print, 0.05, find_power_sensor(tmp_path))


def test_joules_of_an_inference():
    found = EnergyAnswer(active_watts=7.0, idle_watts=4.5, sensor="s", runs=1, seconds=1.0)
    assert joules_per_inference(found, 20.0) == pytest.approx(0.05)
    none = EnergyAnswer(active_watts=4.4, idle_watts=4.5, sensor="s", runs=1, seconds=1.0)
    assert joules_per_inference(none, 20.0) is None
