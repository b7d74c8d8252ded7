"""What goes wrong between a host and a board ends in a result, and the same call completes it.

The board is this machine behind a real sshd; links are cut by killing it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from emulation.missing import MissingError
from emulation.sshd import Sshd, running_sshd
from rich.console import Console

from edgekd.bench.devices import local
from edgekd.bench.measure import disturbances, worker
from edgekd.bench.result.file import read_result
from edgekd.bench.run.harness import run_benchmark
from edgekd.bench.run.request import BenchRequest
from edgekd.bundle import write_bundle

QUIET = Console(quiet=True)
RUN = Path(__file__).parents[3] / "benchmarks" / "run.py"


class Board:
    """The section `[rpi]` of a devices.toml."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.file, self.folder = file, folder

    def reach(self, server: Sshd, *, python: str = sys.executable, folder: str = "") -> None:
        section = {
            "kind": "ssh",
            "host": server.host,
            "options": server.options,
            "python": python,
            "folder": folder or str(self.folder),
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in section.items()]
        self.file.write_text("\n".join(["[rpi]", *lines]))

    def stored(self) -> set[Path]:
        return {file for file in (self.folder / "store").glob("*") if len(file.name) == 64}

    def works(self) -> bool:
        """Whether a job runs there."""
        done = subprocess.run(["pgrep", "-f", "measure.worker -"], capture_output=True)
        return bool(done.stdout.split())


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    found = Board(tmp_path / "devices.toml", tmp_path / "board")
    monkeypatch.setenv("EDGEKD_DEVICES", str(found.file))
    return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Callable[..., Sshd]]:
    """Starts an sshd; `stop` of the fixture's stack stops all."""
    with ExitStack() as stack:

        def start(name: str, **options) -> Sshd:
            try:
                return stack.enter_context(running_sshd(tmp_path / name, **options))
            except MissingError as missing:
                pytest.skip(str(missing))

        start.stop = stack.close
        yield start


@pytest.fixture
def request_of(data, make_bundle, tmp_path: Path) -> BenchRequest:
    return BenchRequest(
        device="rpi",
        data=data,
        bundles=[make_bundle("rpi")],
        preset="smoke",
        threads=1,
        out=tmp_path / "result.json",
        command="bench",
    )


def measure(request: BenchRequest):
    return run_benchmark(request, console=QUIET)


def when(condition: Callable[[], bool], act: Callable[[], object]) -> threading.Thread:
    """Does something once it is time for it."""

    def watch_it() -> None:
        end = time.monotonic() + 600
        while time.monotonic() < end:
            if condition():
                act()
                return
            time.sleep(0.005)

    thread = threading.Thread(target=watch_it)
    thread.start()
    return thread


def complete(result) -> bool:
    row = result.rows[-1]
    return result.missing == [] and None not in (row.metrics, row.latency_ms, row.memory)


@pytest.mark.slow
def test_link_that_is_cut_for_good_in_the_middle_of_a_copy(
    board: Board, server, request_of: BenchRequest, tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    images = []
    for index in range(40):  # 40 MB, so that there is a middle
        path = tmp_path / f"{index}.jpg"
        photo = request_of.data.images[index % 36][0].read_bytes()
        path.write_bytes(photo + generator.bytes(1_000_000))  # behind the end of the JPEG
        images.append((path, request_of.data.images[index % 36][1]))
    request = replace(request_of, data=replace(request_of.data, images=images))
    board.reach(server("first"))
    killer = when(lambda: any((board.folder / "store").glob("*")), server.stop)
    result = measure(request)
    killer.join()
    assert [each for each in result.missing if each.code == "unreachable"]
    assert result.rows[0].latency_ms is None
    assert result.rows[0].metrics is not None  # from the host, and flagged
    assert any(str(flag).startswith("accuracy-from-host") for flag in result.rows[0].flags)
    board.reach(server("second"))
    assert complete(measure(request))


@pytest.mark.slow
def test_link_that_is_cut_in_the_middle_of_a_run_is_tried_again(
    board: Board, server, request_of: BenchRequest
) -> None:
    first = server("sshd")
    board.reach(first)
    killer = when(board.works, first.cut)
    result = measure(request_of)
    killer.join()
    assert complete(result)
    assert result.device.kind == "ssh"


@pytest.mark.slow
def test_full_disk(board: Board, server, request_of: BenchRequest, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a small disk is mounted as root; run the tests as root")
    small = tmp_path / "small"
    small.mkdir()
    photo = tmp_path / "large.jpg"
    original, label = request_of.data.images[0]
    photo.write_bytes(original.read_bytes() + np.random.default_rng(0).bytes(2_000_000))
    request = replace(request_of, data=replace(request_of.data, images=[(photo, label)]))
    first = server("sshd", disk=small)
    board.reach(first, folder=str(small / "edgekd"))
    result = measure(request)
    assert [each for each in result.missing if "is full" in str(each)]
    assert result.rows[0].latency_ms is None
    board.reach(first)
    assert complete(measure(request))


@pytest.mark.slow
def test_wrong_python(board: Board, server, request_of: BenchRequest, tmp_path: Path) -> None:
    old = tmp_path / "python2.7"
    old.write_text("#!/bin/sh\necho 'Python 2.7.18' >&2\nexit 1\n")
    old.chmod(0o755)
    first = server("sshd")
    board.reach(first, python=str(old))
    result = measure(request_of)
    assert [each for each in result.missing if each.code == "lacking" and "rpi" in each.detail]
    assert result.rows[0].latency_ms is None
    board.reach(first)
    assert complete(measure(request_of))


@pytest.mark.slow
def test_artefact_that_the_boards_engine_refuses_harms_no_other(
    board: Board, server, request_of: BenchRequest, tmp_path: Path
) -> None:
    from edgekd.bundle import Bundle

    with Bundle.open(request_of.bundles[0]) as good:
        manifest = good.manifest
        files = {name: good.read(name) for name in manifest.files}
    wrong = tmp_path / "rpi"
    write_bundle(wrong, manifest, files | {"model.onnx": b"made for another machine"})
    board.reach(server("sshd"))
    result = measure(replace(request_of, bundles=[wrong, request_of.bundles[0]]))
    refused, good_row = result.rows
    assert refused.metrics is None
    assert refused.latency_ms is None
    assert [each for each in result.missing if "cannot read model.onnx" in str(each)]
    assert None not in (good_row.metrics, good_row.latency_ms, good_row.memory)


def test_clock_that_jumps_is_told_and_measured_again(
    data, make_bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = BenchRequest(
        device="cpu", data=data, bundles=[make_bundle()], preset="smoke", threads=1,
        out=tmp_path / "result.json",
    )  # fmt: skip
    real, calls = time.time, []

    def jumping() -> float:
        calls.append(None)
        return real() + 3600 * len(calls)

    with monkeypatch.context() as patch:
        patch.setattr(disturbances.time, "time", jumping)
        patch.setattr(local, "run_job", worker.do)
        (row,) = measure(request).rows
    assert not row.valid
    assert [flag for flag in row.flags if str(flag).startswith("clock-jump: ")]
    (again,) = measure(request).rows
    assert not [flag for flag in again.flags if str(flag).startswith("clock-jump: ")]


@pytest.mark.slow
def test_ctrl_c_ends_in_a_result_and_the_same_command_goes_on(
    board: Board, server, small_run: Path, bundles: Path, tmp_path: Path
) -> None:
    board.reach(server("sshd"))
    out = tmp_path / "result.json"
    arguments = ["--device", "rpi", "--run", small_run, "--bundle", bundles / "rpi-fp32"]
    arguments += ["--limit", 12, "--preset", "smoke", "--json", out]
    command = [sys.executable, str(RUN), *map(str, arguments)]
    first = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    killer = when(board.works, lambda: os.killpg(first.pid, signal.SIGINT))
    _, said = first.communicate(timeout=120)
    killer.join()
    assert first.returncode == 130, said.decode()
    assert [each for each in read_result(out).missing if "interrupted" in str(each)]
    end = time.monotonic() + 20
    while board.works() and time.monotonic() < end:
        time.sleep(0.1)
    assert not board.works()
    again = subprocess.run(command, capture_output=True, timeout=180)
    assert again.returncode == 0, again.stderr.decode()
    assert complete(read_result(out))
    assert not list(tmp_path.glob(".result.json.parts"))
