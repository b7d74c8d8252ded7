"""Starting the measuring process: its errors come back as what they were."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edgekd.bench.devices import launch
from edgekd.bench.measure.job import Job
from edgekd.errors import ArtefactError, InputError, MissingDependencyError


@pytest.fixture
def job(data, make_bundle):
    """Times a bundle's files on this machine."""
    return Job(
        kind="latency",
        output="",
        images=[str(path) for path in data.paths[:4]],
        threads=1,
        preset="smoke",
        bundle=str(make_bundle()),
    )


def change(job: Job, **changes) -> Job:
    return msgspec.structs.replace(job, **changes)


def test_errors_come_back_as_what_they_were(job, make_bundle):
    bundle = make_bundle("damaged")
    (bundle / "model.onnx").write_bytes(b"x")
    with pytest.raises(ArtefactError) as caught:
        launch.run_job(change(job, bundle=str(bundle)))
    assert caught.value.exit_code == 6
    assert caught.value.hint
    with pytest.raises(InputError):
        launch.run_job(change(job, bundle="nowhere"))


def test_a_missing_dependency_keeps_its_message(job, monkeypatch):
    def answer(file, _job):
        failure = {"kind": "MissingDependencyError", "message": "m", "hint": "h"}
        asked = msgspec.json.decode(file.read_bytes(), type=Job)
        Path(asked.output).write_bytes(msgspec.json.encode({"failure": failure}))
        return type("Done", (), {"returncode": 0, "stderr": ""})()

    monkeypatch.setattr(launch, "_start", answer)
    with pytest.raises(MissingDependencyError) as caught:
        launch.run_job(job)
    assert (caught.value.message, caught.value.hint) == ("m", "h")


def test_a_crash_is_told_with_its_last_words(job):
    with pytest.raises(launch.WorkerError, match=r"exit code 1: .*FileNotFoundError"):
        launch.run_job(change(job, images=["/nowhere.jpg"]))


def test_a_process_that_does_not_end_is_ended(job, monkeypatch):
    monkeypatch.setattr(launch, "_LOADING_SECONDS", -100.0)
    with pytest.raises(launch.WorkerError, match="did not end"):
        launch.run_job(job)
