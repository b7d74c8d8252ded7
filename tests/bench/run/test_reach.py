"""Reaching the device of a run, and how it stands in the result."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from edgekd.bench.devices.local import LocalDevice
from edgekd.bench.run.journal import Journal
from edgekd.bench.run.log import RunLog
from edgekd.bench.run.progress import RunProgress
from edgekd.bench.run.reach import DeviceLink
from edgekd.bench.run.request import BenchRequest
from edgekd.errors import DeviceUnreachableError

QUIET = RunProgress(Console(quiet=True))


@pytest.fixture
def request_(data, make_bundle) -> BenchRequest:
    return BenchRequest(device="cpu", data=data, bundles=[make_bundle()])


def test_this_machine(request_, data, make_bundle) -> None:
    log = RunLog()
    link = DeviceLink(request_, Journal(None), log)
    facts = link.reach(data.paths, QUIET)
    assert facts["cores"] >= 1
    assert link.is_for_device(request_.bundles[0])
    assert not link.is_for_device(make_bundle("rpi"))
    described = link.describe()
    assert (described.name, described.kind, described.emulated) == ("cpu", "local", False)
    assert (log.missing, log.lost) == ([], None)
    link.close()


def test_a_device_that_is_not_configured(request_, data) -> None:
    link = DeviceLink(replace(request_, device="rpi"), Journal(None), RunLog())
    assert link.device is None
    assert link.reach(data.paths, QUIET) == {}
    assert link.describe().kind == "not-configured"
    link.close()


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (DeviceUnreachableError("gone", "plug it in"), "unreachable", "unreachable"),
        (KeyboardInterrupt(), "interrupted", "interrupted"),
    ],
)
def test_what_goes_wrong_is_recorded(request_, data, monkeypatch, error, kind, code) -> None:
    def prepare(self, bundles, images, say):
        raise error

    monkeypatch.setattr(LocalDevice, "prepare", prepare)
    log = RunLog()
    link = DeviceLink(request_, Journal(None), log)
    assert link.reach(data.paths, QUIET) == {}
    assert log.early_end.kind == kind
    assert [each.code for each in log.missing] == [code]
    assert link.describe().facts == {}
