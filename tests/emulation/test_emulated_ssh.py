"""A Raspberry Pi by ssh, as far as no board is needed: a real sshd, and aarch64 behind it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekd.bench.devices.launch import run_job
from edgekd.bench.devices.open import open_configured
from edgekd.bench.measure.job import Job
from edgekd.bench.result import Result
from edgekd.bench.result.file import read_result
from edgekd.cli import main
from emulation.board import Board
from emulation.missing import MissingError
from emulation.sshd import Sshd, running_sshd
from emulation.userland import Userland

pytestmark = pytest.mark.emulated

RUN = Path(__file__).parents[2] / "benchmarks" / "run.py"

# A board whose user has a virtual environment would name its Python instead.
_PYTHON = '#!/bin/sh\nexport PYTHONPATH="$PYTHONPATH:{site}"\nexec python3 "$@"\n'


@pytest.fixture(params=["rpi4", "rpi5"])
def pi(request: pytest.FixtureRequest, userland: Userland, tmp_path: Path) -> Iterator[Board]:
    """A board behind an sshd, as `[rpi]` of a devices.toml in the working folder."""
    board = Board(userland, request.param, tmp_path / "board")
    python = board.home / "python"
    python.write_text(_PYTHON.format(site=userland.site("litert")))
    python.chmod(0o755)
    try:
        with running_sshd(tmp_path / "sshd", enter=board.enter) as server:
            (tmp_path / "devices.toml").write_text(_section(server))
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(tmp_path)
                yield board
    except MissingError as missing:
        pytest.skip(str(missing))


def _section(server: Sshd) -> str:
    options = json.dumps(server.options)
    return (
        f'[rpi]\nkind = "ssh"\nhost = "{server.host}"\noptions = {options}\npython = "~/python"\n'
    )


def test_a_raspberry_pi_decides_as_this_machine_does(
    pi: Board, rpi_bundles: Path, few: list[Path]
) -> None:
    bundle = rpi_bundles / "rpi-int8"
    job = Job(kind="accuracy", bundle=str(bundle), images=[str(photo) for photo in few])
    told: list[str] = []
    device = open_configured("rpi")
    assert device is not None
    device.prepare([bundle], few, told.append)
    there, here = device.run(job), run_job(job)
    assert device.emulated
    assert device.facts()["machine"] == "aarch64"
    device.close()
    assert there.facts["engine"] == here.facts["engine"]
    # An area mean may round a rare pixel otherwise there (see comparing.py); large.jpg has one.
    pairs = list(zip(there.image_answers, here.image_answers, strict=True))
    assert sum(one.outputs == other.outputs for one, other in pairs) >= len(few) - 1
    assert [one.decision for one, _ in pairs] == [other.decision for _, other in pairs]
    assert [one.label for one, _ in pairs] == [other.label for _, other in pairs]
    assert sum("copying" in line for line in told) == 2
    assert (pi.home / ".cache/edgekd-bench/store").is_dir()


def test_the_harness_as_a_user_calls_it(
    pi: Board, rpi_bundles: Path, small_run: Path, tmp_path: Path
) -> None:
    bundle, images = rpi_bundles / "rpi-int8", 6
    result = {name: bench(name, small_run, bundle, images, tmp_path) for name in ("rpi", "cpu")}
    assert (result["rpi"].device.kind, result["rpi"].device.emulated) == ("ssh", True)
    (there,) = [row for row in result["rpi"].rows if row.role == "artefact"]
    (here,) = [row for row in result["cpu"].rows if row.role == "artefact"]
    assert there.runtime["engine"] == here.runtime["engine"]
    assert there.decisions == here.decisions
    assert there.metrics == here.metrics
    assert (there.latency_ms, there.memory) == (None, None)
    assert [flag for flag in there.flags if str(flag).startswith("emulated: ")]
    assert not [flag for flag in there.flags if str(flag).startswith("accuracy-from-host")]
    assert result["rpi"].missing == []


def bench(device: str, run: Path, bundle: Path, images: int, folder: Path) -> Result:
    """`benchmarks/run.py` in a process of its own, in the folder with the devices.toml."""
    out = folder / f"{device}.json"
    arguments = ["--device", device, "--run", run, "--bundle", bundle, "--json", out]
    command = [sys.executable, RUN, *arguments, "--limit", images, "--preset", "smoke"]
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return read_result(out)


def test_doctor_says_that_it_is_no_board(pi: Board, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--device", "rpi"]) == 0
    said = capsys.readouterr().out
    assert f"note    speed: {pi.profile.model}: answers count, times, memory" in said
    assert "ok      import ai-edge-litert: ai_edge_litert" in said
