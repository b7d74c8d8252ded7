"""The archive that a board gets is all of edgekd that a measurement needs."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import msgspec
import pytest

from edgekd.bench.devices.launch import run_job
from edgekd.bench.devices.package import pack_runner, runner_files
from edgekd.bench.measure.job import Answer, Job

HEAVY = ("torch", "typer", "rich", "yaml", "edgekd.metrics", "edgekd.models", "edgekd.targets")
# The packages without this checkout: what makes edgekd importable here is a .pth file, which -S
# leaves unread.
RUN = """
import sys
sys.path += [{archive!r}, {packages!r}]
sys.argv = ["worker", "-"]
import runpy
try:
    runpy.run_module("edgekd.bench.measure.worker", run_name="__main__")
except SystemExit as ending:
    assert not ending.code
    import edgekd
    print(edgekd.__file__, sorted({heavy!r} & sys.modules.keys()), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("runner") / "runner.zip"
    file.write_bytes(pack_runner())
    return file


@pytest.mark.parametrize("kind", ["facts", "accuracy", "latency", "memory"])
def test_every_kind_of_job_runs_from_it_alone(archive: Path, make_bundle, data, kind: str) -> None:
    images = [str(path) for path in data.paths[:3]]
    job = Job(kind=kind, images=images, bundle=str(make_bundle()), preset="smoke")
    packages = str(Path(msgspec.__file__).parents[1])
    code = RUN.format(archive=str(archive), packages=packages, heavy=set(HEAVY))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        input=msgspec.json.encode(job),
        capture_output=True,
        check=False,
    )
    said = done.stderr.decode().strip().splitlines()
    assert done.returncode == 0, said
    assert said[-1] == f"{archive}/edgekd/__init__.py []"
    answer = msgspec.json.decode(done.stdout.strip().splitlines()[-1], type=Answer)
    assert answer.failure is None
    if kind == "accuracy":
        assert answer.image_answers == run_job(job).image_answers


def test_the_same_modules_give_the_same_bytes(archive: Path, monkeypatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    assert pack_runner() == archive.read_bytes()


def test_it_is_small_and_plain(archive: Path) -> None:
    names = zipfile.ZipFile(io.BytesIO(archive.read_bytes())).namelist()
    assert names == sorted(runner_files())
    assert {Path(name).suffix for name in names} == {".py"}
    assert archive.stat().st_size < 220_000
