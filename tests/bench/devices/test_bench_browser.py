"""`edgekd.bench.devices.browser`: jobs in Chromium, on the page that `make browser` builds."""

from __future__ import annotations

from pathlib import Path

import pytest
from built_page import built_page
from rich.console import Console

from edgekd.bench.devices import find_device, runs_on, target_of
from edgekd.bench.devices.browser import BrowserDevice
from edgekd.bench.devices.launch import WorkerError
from edgekd.bench.devices.local import LocalDevice
from edgekd.bench.measure.job import Job
from edgekd.bench.run.harness import run_benchmark
from edgekd.bench.run.request import BenchRequest
from edgekd.bench.subjects.data import BenchData
from edgekd.errors import InputError, MissingDependencyError
from edgekd.page import chromium


def job(kind: str, data: BenchData, bundle: Path, preset: str = "smoke") -> Job:
    images = [str(path) for path in data.paths[:6]]
    return Job(kind=kind, images=images, threads=1, preset=preset, bundle=str(bundle))


def test_the_browser_is_the_device_of_its_target() -> None:
    device = find_device("browser")
    assert isinstance(device, BrowserDevice)
    assert (device.kind, device.targets, device.decides, device.emulated) == (
        "browser", ("browser",), True, False,
    )  # fmt: skip
    assert runs_on("browser", device)
    assert target_of("browser") == "browser"


def test_what_it_does_not_take_is_refused(data: BenchData, make_bundle) -> None:
    device = BrowserDevice("browser")
    with pytest.raises(InputError, match="takes no energy series"):
        device.run(job("energy", data, make_bundle()))
    with pytest.raises(InputError, match="a checkpoint is measured on this machine"):
        device.run(Job(kind="latency", images=["a.jpg"], checkpoint="student"))


def test_without_chromium_the_error_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: BenchData, make_bundle
) -> None:
    page = built_page()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("EDGEKD_CHROMIUM", raising=False)
    device = BrowserDevice("browser", page=page)
    with pytest.raises(MissingDependencyError, match="no Chromium here"):
        device.facts()
    request = BenchRequest(device="browser", data=data, bundles=[make_bundle("browser")])
    result = run_benchmark(request, console=Console(quiet=True))
    assert result.stop is not None
    assert (result.stop.kind, "no Chromium" in result.stop.message) == ("lacking", True)
    (row,) = result.rows
    assert row.latency_ms is None


def test_a_browser_that_crashes_fails_its_job(
    data: BenchData, make_bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_page()
    monkeypatch.setattr(chromium, "_FLAGS", (*chromium._FLAGS, "--version"))  # it ends at once
    with pytest.raises(WorkerError, match="Chromium has ended"):
        BrowserDevice("browser").run(job("accuracy", data, make_bundle()))


def test_answers_are_those_of_this_machine(data: BenchData, make_bundle) -> None:
    built_page()
    bundle = make_bundle("browser")
    here = LocalDevice("cpu").run(job("accuracy", data, bundle))
    there = BrowserDevice("browser").run(job("accuracy", data, bundle))
    assert [each.label for each in there.image_answers] == [
        each.label for each in here.image_answers
    ]
    assert [each.decision for each in there.image_answers] == [
        each.decision for each in here.image_answers
    ]
    for ours, theirs in zip(here.image_answers, there.image_answers, strict=True):
        assert theirs.outputs == pytest.approx(ours.outputs, abs=1e-4)


def test_a_run_has_every_number_of_the_page(data: BenchData, make_bundle) -> None:
    """One run by the harness: times, memory, a sweep over threads, the first visit."""
    built_page()
    request = BenchRequest(
        device="browser", data=data, bundles=[make_bundle("browser")], preset="smoke",
        threads=1, sweep=(2,), limit=6,
    )  # fmt: skip
    result = run_benchmark(request, console=Console(quiet=True))
    assert (result.device.kind, result.missing) == ("browser", [])
    assert result.device.facts["browser"].startswith("Chrome/")
    (row,) = result.rows
    latency, memory, facts = row.latency_ms, row.memory, row.runtime
    assert latency is not None
    assert memory is not None
    assert latency.end_to_end is not None
    assert min(latency.model.p50, latency.end_to_end.p50, latency.load_ms, latency.first_ms) > 0
    assert len(latency.model.samples) == latency.model.n
    assert memory.rss_peak_delta_bytes > 1_000_000
    assert "the page's process" in memory.definition
    assert [point.threads for point in row.sweep] == [2]
    assert 0 < facts["page_ready_ms"] < facts["page_decision_ms"]
    assert facts["page_gzip_bytes"] > 1_000_000 > facts["bundle_gzip_bytes"] > 0
