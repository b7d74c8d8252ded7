"""The measuring process: its answers, its errors, its crashes."""

from __future__ import annotations

import msgspec
import pytest

from edgekd.bench.devices import launch
from edgekd.bench.measure import worker
from edgekd.bench.measure.job import Answer, Job
from edgekd.errors import InputError


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


def test_latency_in_this_process(job):
    answer = worker.do(job)
    assert len(answer.model.samples_ms) >= 16
    assert answer.model.warmup_runs == 3
    assert answer.load_ms > 0
    assert answer.first_ms > 0
    assert answer.facts["threads"] == 1


def test_memory_in_a_fresh_process(job):
    memory = launch.run_job(change(job, kind="memory")).memory
    assert 1_000_000 < memory.rss_peak_delta_bytes < 500_000_000
    assert "fresh process" in memory.definition


def test_nonsense_jobs_are_refused(job):
    with pytest.raises(InputError):
        worker.do(change(job, images=[]))
    with pytest.raises(InputError):
        worker.do(change(job, bundle=None))


def test_main_writes_the_answer(job, tmp_path):
    file, output = tmp_path / "job.json", tmp_path / "answer.json"
    asked = change(job, output=str(output), bundle="nowhere")
    file.write_bytes(msgspec.json.encode(asked))
    assert worker.main([str(file)]) == 0
    answer = msgspec.json.decode(output.read_bytes(), type=Answer)
    assert answer.failure.kind == "InputError"


@pytest.mark.slow
def test_a_checkpoint_in_fresh_processes(job, teacher):
    asked = change(job, bundle=None, checkpoint=str(teacher))
    answer = launch.run_job(asked)
    assert answer.facts["engine"].startswith("pytorch ")
    assert answer.facts["threads"] == 1
    assert len(answer.end_to_end.samples_ms) >= 16
    memory = launch.run_job(change(asked, kind="memory")).memory
    own = launch.run_job(change(job, kind="memory")).memory
    assert memory.rss_peak_delta_bytes > own.rss_peak_delta_bytes
