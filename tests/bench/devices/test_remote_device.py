"""Jobs on a board, which is this machine behind a real sshd."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest
from emulation.sshd import Sshd

from edgekd.bench.devices.launch import WorkerError, run_job
from edgekd.bench.devices.probe import DeviceLacksError
from edgekd.bench.devices.transport import DeviceFullError, DeviceRefusedError
from edgekd.bench.measure.job import Job
from edgekd.errors import ArtefactError, DeviceUnreachableError, InputError


def _job(kind: str, bundle: Path | None, images: list[Path], **more) -> Job:
    return Job(
        kind=kind,
        bundle=None if bundle is None else str(bundle),
        images=[str(image) for image in images],
        preset="smoke",
        **more,
    )


@pytest.fixture
def images(data) -> list[Path]:
    return data.paths[:6]


def test_a_board_gives_the_answers_of_this_machine(make_device, make_bundle, images) -> None:
    bundle, device, told = make_bundle(), make_device(), []
    device.prepare([bundle], images, told.append)
    job = _job("accuracy", bundle, images)
    there, here = device.run(job), run_job(job)
    assert [one.outputs for one in there.image_answers] == [
        one.outputs for one in here.image_answers
    ]
    assert [one.decision for one in there.image_answers] == [
        one.decision for one in here.image_answers
    ]
    assert len(told) == 2  # the runner, then bundle and images
    assert not device.emulated
    told.clear()
    device.prepare([bundle], images, told.append)
    assert told == []


@pytest.mark.slow
def test_a_second_run_of_edgekd_sends_nothing(make_device, make_bundle, images) -> None:
    bundle, told = make_bundle(), []
    make_device().prepare([bundle], images, print)
    make_device().prepare([bundle], images, told.append)
    assert told == []


def test_times_and_memory_come_from_there(make_device, make_bundle, images) -> None:
    bundle, device = make_bundle(), make_device()
    answer = device.run(_job("latency", bundle, images, threads=1))
    assert len(answer.model.samples_ms) >= 16
    assert answer.facts["engine"].startswith("onnxruntime")
    memory = device.run(_job("memory", bundle, images)).memory
    assert memory.rss_peak_delta_bytes > 0


def test_facts_are_asked_there(make_device) -> None:
    facts = make_device().facts()
    assert facts["cores"] == os.cpu_count()
    assert "numpy" in facts["packages"]


@pytest.mark.slow
def test_what_runs_there_is_what_was_sent(make_device, tmp_path: Path) -> None:
    """No edgekd that the board has of its own gets in the way."""
    own = tmp_path / "old"
    (own / "edgekd").mkdir(parents=True)
    (own / "edgekd" / "__init__.py").write_text("raise SystemExit('an old edgekd')")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH=$PYTHONPATH:{own} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    assert make_device(python=str(python)).facts()["edgekd"]


@pytest.mark.slow
def test_a_bundle_in_one_file_is_taken_as_it_is(make_device, make_bundle, images, tmp_path) -> None:
    from edgekd.bundle import zip_bundle

    bundle = make_bundle()
    packed = tmp_path / "cpu.edgekd"
    zip_bundle(bundle, packed)
    device = make_device()
    one = device.run(_job("accuracy", packed, images))
    other = device.run(_job("accuracy", bundle, images))
    assert [each.outputs for each in one.image_answers] == [
        each.outputs for each in other.image_answers
    ]


def test_what_the_runtime_refuses_keeps_its_class(make_device, make_bundle, images) -> None:
    bundle = make_bundle()
    model = bundle / "model.onnx"
    model.write_bytes(bytes([model.read_bytes()[0] ^ 1]) + model.read_bytes()[1:])
    with pytest.raises(ArtefactError) as refused:
        make_device().run(_job("accuracy", bundle, images))
    assert refused.value.exit_code == 6


def test_a_missing_engine_is_told_with_what_to_do_there(make_device, make_bundle, images) -> None:
    bundle = make_bundle(backend="tensorrt")
    with pytest.raises(DeviceLacksError, match="TensorRT is not installed") as lacks:
        make_device().run(_job("accuracy", bundle, images))
    assert lacks.value.exit_code == 3
    assert lacks.value.hint.startswith("on the device: ")
    assert "--wheelhouse" in lacks.value.hint


def test_a_checkpoint_is_not_for_a_board(make_device, images) -> None:
    job = msgspec.structs.replace(_job("latency", None, images), checkpoint="runs/teacher")
    with pytest.raises(InputError, match="not on rpi"):
        make_device().run(job)


def test_a_file_that_is_not_here_is_told(make_device, make_bundle) -> None:
    with pytest.raises(InputError, match=r"no file .*gone\.jpg"):
        make_device().run(_job("accuracy", make_bundle(), [Path("gone.jpg")]))


@pytest.mark.slow
def test_a_run_that_is_cut_is_repeated_and_its_process_ended(
    make_device, make_bundle, images, sshd: Sshd
) -> None:
    bundle, device = make_bundle(), make_device()
    device.prepare([bundle], images, print)
    folder = Path(device.store.folder)
    job = _job("accuracy", bundle, images * 200)
    seen: list[list[str]] = []
    cutter = threading.Thread(target=_cut_a_run, args=(sshd, folder, seen))
    cutter.start()
    answer = device.run(job)
    cutter.join()
    assert len(answer.image_answers) == len(job.images)
    first, second = seen
    assert len(first) == 1
    assert len(second) == 1  # the first was not at work any more beside the second
    assert first != second
    assert list((folder / "jobs").iterdir()) == []


@pytest.mark.slow
def test_a_link_that_stays_lost_ends_in_words(make_device, make_bundle, images, sshd: Sshd) -> None:
    bundle, device = make_bundle(), make_device()
    device.prepare([bundle], images, print)
    stop = threading.Event()

    def cut_always() -> None:
        while not stop.is_set():
            sshd.cut()
            time.sleep(0.01)

    cutter = threading.Thread(target=cut_always)
    cutter.start()
    try:
        with pytest.raises(DeviceUnreachableError) as lost:
            device.run(_job("accuracy", bundle, images))
    finally:
        stop.set()
        cutter.join()
    assert lost.value.exit_code == 5
    assert device.run(_job("accuracy", bundle, images)).image_answers


def _cut_a_run(sshd: Sshd, folder: Path, seen: list[list[str]]) -> None:
    """Cut the connections when a job is at work; note who works then, and at the next job."""
    seen.append(_await_worker(folder, but=[]))
    sshd.cut()
    seen.append(_await_worker(folder, but=seen[0]))


def _await_worker(folder: Path, but: list[str]) -> list[str]:
    """All workers of this folder, once there is another one than those."""
    for _ in range(3000):
        workers = _workers(folder)
        if set(workers) - set(but):
            return workers
        time.sleep(0.01)
    return []


def _workers(folder: Path) -> list[str]:
    found = []
    for status in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            command = (status.parent / "cmdline").read_bytes()
            if str(folder).encode() in status.read_bytes() and b"measure.worker" in command:
                found.append(status.parent.name)
    return [pid for pid in found if b"sh\0-c" not in Path("/proc", pid, "cmdline").read_bytes()]


def test_a_process_that_is_killed_there_is_a_crash_and_no_broken_link(
    make_device, make_bundle, images
) -> None:
    bundle, device = make_bundle(), make_device()
    device.prepare([bundle], images, print)
    folder = Path(device.store.folder)
    job = msgspec.structs.replace(_job("latency", bundle, images), preset="rapid")
    killer = threading.Thread(target=lambda: os.kill(int(_await_worker(folder, [])[0]), 9))
    killer.start()
    with pytest.raises(WorkerError, match="signal 9"):
        device.run(job)
    killer.join()


CTRL_C = """
import signal, sys
from edgekd.bench.devices.board import RemoteDevice
from edgekd.bench.devices.ssh import SshTransport
from edgekd.bench.measure.job import Job
import msgspec

host, options, folder, job = sys.argv[1], sys.argv[2].split("\\t"), sys.argv[3], sys.argv[4]
signal.signal(signal.SIGINT, signal.default_int_handler)
device = RemoteDevice(
    "rpi", "ssh", ("rpi",), SshTransport(host, options), python=sys.executable, folder=folder
)
try:
    device.run(msgspec.json.decode(job, type=Job))
except KeyboardInterrupt:
    print("stopped")
"""


def test_ctrl_c_ends_the_process_there(make_device, make_bundle, images, sshd: Sshd) -> None:
    bundle, device = make_bundle(), make_device()
    device.prepare([bundle], images, print)
    folder = Path(device.store.folder)
    job = msgspec.structs.replace(_job("latency", bundle, images), preset="normal")
    command = [sys.executable, "-c", CTRL_C, sshd.host, "\t".join(sshd.options), str(folder)]
    command.append(msgspec.json.encode(job).decode())
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as host:
        (worker,) = _await_worker(folder, [])
        host.send_signal(signal.SIGINT)
        told, _ = host.communicate(timeout=60)
    assert told == "stopped\n"
    waits = 0
    while Path("/proc", worker).exists():
        waits += 1
        assert waits < 500, "it goes on"
        time.sleep(0.02)
    assert list((folder / "jobs").iterdir()) == []


@pytest.mark.parametrize(
    "script, message",
    [
        ("exit 127", "answers"),
        ("echo '{\"python\": [3, 6, 9]}'", "answers"),
        (None, "CPython 3.6.9"),
    ],
)
def test_a_wrong_python_is_told(make_device, tmp_path: Path, script: str | None, message: str):
    python = tmp_path / "old python"
    # The probe itself, on a Python that says that it is an old one.
    pretend = f'exec {sys.executable} -c \'import sys; sys.version_info = (3, 6, 9, "final", 0);'
    pretend += " exec(sys.stdin.read())'"
    python.write_text(f"#!/bin/sh\n{script or pretend}\n")
    python.chmod(0o755)
    with pytest.raises(DeviceLacksError, match=message) as lacks:
        make_device(python=str(python)).facts()
    assert lacks.value.exit_code == 3
    assert "3.10" in lacks.value.hint


def test_a_python_that_is_not_there_is_told(make_device) -> None:
    with pytest.raises(DeviceLacksError, match=r"no/python.*not found"):
        make_device(python="/no/python").facts()


def test_a_python_without_numpy_is_told(make_device, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    with pytest.raises(DeviceLacksError, match="no numpy, no msgspec, no opencv") as lacks:
        make_device(python=str(python)).facts()
    assert "-m pip install numpy msgspec opencv-python-headless" in lacks.value.hint


@pytest.mark.slow
def test_cleaning_up_and_starting_again(make_device, make_bundle, images, tmp_path: Path) -> None:
    bundle, device = make_bundle(), make_device()
    device.run(_job("accuracy", bundle, images))
    device.clean()
    assert not (tmp_path / "board").exists()
    assert device.run(_job("accuracy", bundle, images)).image_answers


def test_full_and_refused_are_unreachable_too() -> None:
    assert issubclass(DeviceFullError, DeviceRefusedError)
    assert issubclass(DeviceRefusedError, DeviceUnreachableError)
