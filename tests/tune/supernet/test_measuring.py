"""Measurement of a table: by the harness of `edgekd bench`, continued, refused where of no use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_space import SMALL

from edgekd.errors import DeviceUnreachableError, InputError
from edgekd.models import load_checkpoint
from edgekd.runtime.preprocess import RULE
from edgekd.tune.supernet import measuring
from edgekd.tune.supernet.latency_table import LatencyRow, read_table
from edgekd.tune.supernet.measuring import MeasuringRequest, measured_table

REQUEST = MeasuringRequest(SMALL, ("a", "b", "c"), 16, networks=5, preset="smoke")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The networks that are measured; each takes as many milliseconds as it has channels."""
    networks: list[Any] = []

    def row(request: MeasuringRequest, options: Any) -> LatencyRow:
        networks.append(options)
        return LatencyRow(options=options, p50_ms=float(options.stages[-1].width))

    monkeypatch.setattr(measuring, "measured_network", row)
    return networks


def test_smallest_largest_and_others_are_measured_once(measured: list[Any], tmp_path: Path) -> None:
    lines: list[str] = []
    table = measured_table(replace(REQUEST, say=lines.append), tmp_path / "table.json")
    assert measured[:2] == [SMALL.smallest, SMALL.largest]
    assert len(set(measured)) == len(measured) == len(lines) == 5
    assert table.complete
    assert read_table(tmp_path / "table.json") == table
    measured_table(REQUEST, tmp_path / "table.json")
    assert len(measured) == 5


def test_an_interrupted_measurement_continues(measured: list[Any], tmp_path: Path) -> None:
    def stop(line: str) -> None:
        if "3/5" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured_table(replace(REQUEST, say=stop), tmp_path / "table.json")
    assert not read_table(tmp_path / "table.json").complete
    table = measured_table(REQUEST, tmp_path / "table.json")
    assert [row.options for row in table.rows] == measured
    assert len(measured) == 5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"image_size": 32}, "was measured for"),
        ({"classes": ("a", "b")}, "was measured for"),
        ({"target": "cpu"}, "was measured for"),
    ],
)
def test_a_table_of_something_else_is_refused(
    measured: list[Any], changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    measured_table(REQUEST, tmp_path / "table.json")
    with pytest.raises(InputError, match=words):
        measured_table(replace(REQUEST, **changes), tmp_path / "table.json")


def test_unsuitable_devices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        measured_table(replace(REQUEST, device="nosuch"), tmp_path / "table.json")
    with pytest.raises(InputError, match="lowered files"):
        measured_table(replace(REQUEST, device="rpi"), tmp_path / "table.json")
    assert not (tmp_path / "table.json").exists()


def test_the_harness_is_given_a_student_and_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[tuple[Any, Any]] = []

    class Result:
        missing = ()

        class Row:
            valid = True

            class latency_ms:  # noqa: N801 - the name of the result's field
                class model:  # noqa: N801
                    p50 = 1.5

        rows = (Row,)

    def run(request: Any, console: Any) -> type[Result]:
        request.check()
        requests.append((request, load_checkpoint(request.student)))
        return Result

    monkeypatch.setattr(measuring, "run_benchmark", run)
    row = measuring.measured_network(REQUEST, SMALL.smallest)
    assert row == LatencyRow(options=SMALL.smallest, p50_ms=1.5)
    ((request, checkpoint),) = requests
    assert (request.device, request.preset, request.bundles) == ("cpu", "smoke", [])
    assert checkpoint.card.resize == RULE  # else the harness refuses its bundle
    assert checkpoint.network(torch.zeros(1, 3, 16, 16)).shape == (1, 3)
    assert not request.student.exists()  # nothing is left


@pytest.mark.slow
def test_a_network_is_measured_by_the_harness() -> None:
    row = measuring.measured_network(REQUEST, SMALL.smallest)
    assert row.options == SMALL.smallest
    assert 0.0 < row.p50_ms < 10_000.0
    assert row.flagged  # the preset `smoke` is no measurement


def test_a_device_that_gives_no_time_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Row:
        latency_ms = None

    class Result:
        rows = (Row(),)
        missing = ()

    monkeypatch.setattr(measuring, "run_benchmark", lambda request, console: Result())
    with pytest.raises(DeviceUnreachableError, match="local gave no time"):
        measuring.measured_network(REQUEST, SMALL.smallest)


@pytest.mark.slow
def test_a_lowered_network_is_measured() -> None:
    row = measuring.measured_network(replace(REQUEST, target="cpu-onnx"), SMALL.smallest)
    assert row.p50_ms > 0.0
