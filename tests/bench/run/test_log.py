"""What a run records of interruptions, lost devices and missing numbers."""

from __future__ import annotations

from edgekd.bench.result import Flag, Missing
from edgekd.bench.run.log import RunLog
from edgekd.errors import DeviceUnreachableError, MissingDependencyError


def test_the_first_interruption_is_kept() -> None:
    log = RunLog()
    assert not log.interrupted
    log.interrupt("teacher")
    log.interrupt("cpu fp32")
    assert log.interrupted
    assert log.early_end.message == "teacher: the run was interrupted"


def test_a_device_that_does_not_answer() -> None:
    log, error = RunLog(), DeviceUnreachableError("no route", "plug it in")
    log.lose("rpi", error)
    assert (log.lost, log.early_end.kind) == (error, "unreachable")
    detail = "rpi does not answer: no route"
    assert log.missing == [Missing(row=None, code="unreachable", detail=detail)]


def test_a_device_that_lacks_a_package() -> None:
    log = RunLog()
    log.lose("rpi", MissingDependencyError("numpy", "tflite", "run", message="no numpy"))
    assert log.early_end.kind == "lacking"
    assert str(log.missing[0]) == "lacking: rpi lacks something: no numpy"


def test_a_number_is_missing_once() -> None:
    log = RunLog()
    for _ in range(2):
        log.miss("cpu", Flag("memory-not-measured", "no room"))
    log.miss("rpi", Flag("memory-not-measured", "no room"))
    assert [each.row for each in log.distinct_missing()] == ["cpu", "rpi"]
