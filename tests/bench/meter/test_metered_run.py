"""A meter outside, with real runs: its logger writes while the harness measures."""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from edgekd.bench.measure.energy import sensor_facts
from edgekd.bench.meter import PowerMeter
from edgekd.bench.run.harness import run_benchmark
from edgekd.bench.run.request import BenchRequest
from edgekd.cli import app
from edgekd.errors import InputError

BEGIN = time.time()


def ramp() -> float:
    """So many watts as seconds since the tests began: power that tells when it was read."""
    return time.time() - BEGIN


@contextmanager
def logging(file: Path, watts=ramp) -> Iterator[Path]:
    """A logger of another program: 50 lines a second, each written at once."""
    file.write_text("time,watts\n")
    done = threading.Event()

    def log() -> None:
        with file.open("a") as growing:
            while not done.wait(0.02):
                growing.write(f"{time.time():.4f},{watts():.4f}\n")
                growing.flush()

    thread = threading.Thread(target=log)
    thread.start()
    try:
        yield file
    finally:
        done.set()
        thread.join()


@pytest.fixture
def request_of(data, make_bundle):
    def make(meter: Path, **options) -> BenchRequest:
        settings = {"device": "cpu", "bundles": [make_bundle()], "preset": "smoke", "threads": 1}
        return BenchRequest(data=data, meter=meter, **settings | options)

    return make


def run(request: BenchRequest):
    return run_benchmark(request, console=Console(quiet=True))


def notes_on_energy(row) -> list[str]:
    return [str(flag) for flag in row.flags if flag.code.startswith("energy-")]


def test_energy_by_a_meter_outside(request_of, tmp_path):
    with logging(tmp_path / "bench.csv") as file:
        result = run(request_of(file))
    (row,) = result.rows
    energy = row.energy
    assert energy.sensor == "external meter bench.csv, whole device"
    # Two seconds of idling and two of work: their middles lie two seconds apart, or two watts.
    assert energy.active_watts - energy.idle_watts > 1.5
    assert 0 < energy.idle_watts < energy.active_watts < ramp()
    watts = energy.active_watts - energy.idle_watts
    assert energy.joules_per_inference == pytest.approx(watts * row.latency_ms.model.p50 / 1000)
    assert min(row.runtime["meter_readings"]) >= 3
    assert row.runtime["meter_clock_error_s"] < 0.2
    assert notes_on_energy(row) == []
    assert result.missing == []


@pytest.mark.slow
def test_work_that_draws_nothing_has_no_energy(request_of, tmp_path):
    with logging(tmp_path / "bench.csv", lambda: 3.0) as file:
        result = run(request_of(file))
    (row,) = result.rows
    assert row.energy is None
    note = (
        "energy-not-measured: the meter saw 3 W at work and 3 W idle, "
        "no further apart than its readings scatter"
    )
    assert notes_on_energy(row) == [note]
    assert list(map(str, result.missing)) == [f"cpu fp32: {note}"]


@pytest.mark.slow
def test_a_logger_that_stops_leaves_no_number_and_the_same_command_goes_on(
    request_of, tmp_path, monkeypatch
):
    monkeypatch.setattr("edgekd.bench.meter.file._PATIENCE_S", 0.2)
    file = tmp_path / "bench.csv"
    file.write_text(f"time,watts\n{BEGIN},2.0\n")
    request = request_of(file, out=tmp_path / "result.json")
    stopped = run(request)
    (row,) = stopped.rows
    (note,) = notes_on_energy(row)
    assert note.startswith("energy-not-measured: the meter's file bench.csv ends ")
    assert list(map(str, stopped.missing)) == [f"cpu fp32: {note}"]
    assert row.energy is None
    assert row.latency_ms is not None
    with logging(file):
        again = run(request)
    assert again.missing == []
    assert again.rows[0].energy is not None
    # What was measured before stays: only power is of the second call.
    assert again.rows[0].latency_ms == row.latency_ms


def test_a_file_that_is_not_understood_is_refused_before_anything_is_measured(request_of, tmp_path):
    file = tmp_path / "bench.csv"
    file.write_text("when,power\n")
    with pytest.raises(InputError, match="begins with 'when,power'"):
        run(request_of(file, device="rpi"))
    with pytest.raises(InputError, match="No such file"):
        run(replace(request_of(file), meter=tmp_path / "nothing.csv"))


def test_without_a_meter_a_device_without_a_sensor_lacks_nothing(request_of):
    if sensor_facts():
        pytest.skip("this machine has a power sensor; the test needs one without")
    result = run(request_of(None))
    assert result.missing == []
    assert result.rows[0].energy is None
    assert notes_on_energy(result.rows[0]) == []


def test_one_meter_is_of_one_device(tmp_path):
    file = tmp_path / "bench.csv"
    file.write_text("time,watts\n")
    for options, said in (
        (
            ["--device", "cpu,rpi", "--meter", str(file)],
            "one meter cannot measure cpu and rpi apart",
        ),
        (
            ["--device", "cpu", "--meter", str(tmp_path / "none.csv")],
            "there is no record of a power",
        ),
    ):
        found = CliRunner().invoke(app, ["bench", *options])
        assert isinstance(found.exception, InputError)
        assert said in found.exception.message


def test_a_logger_may_be_read_while_it_writes(tmp_path):
    """What the meter has read is what its file holds, half-written lines or not."""
    with logging(tmp_path / "bench.csv") as file:
        meter = PowerMeter(file)
        seen = list(meter.until(time.time() + 0.5))
    with file.open() as opened:
        lines = list(csv.DictReader(opened))
    assert [f"{each.time:.4f}" for each in seen] == [each["time"] for each in lines[: len(seen)]]
