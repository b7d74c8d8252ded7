"""The stages of an attempt hold what the next one needs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from edgekd.lower.attempt import Attempt, Checked, Failed, Lowered, Measured
from edgekd.lower.jobs.process import JobError
from edgekd.lower.jobs.trial import Answers
from edgekd.lower.precision import Variant
from edgekd.lower.store import Kept


def attempt(completion: str = "complete") -> Attempt:
    backend = SimpleNamespace(name="engine", model_file="model.bin", completion=completion)
    return Attempt(cast(Any, backend), Variant(precision="int8"), "key")


def measured(folder: Path, completion: str = "complete", **facts: Any) -> Measured:
    answers = Answers(np.zeros((3, 2), np.float32), np.array([1.0, 9.0, 2.0]), facts)
    lowered = Lowered(attempt(completion), Kept(folder, {"tool": "1"}))
    return Measured(Checked(lowered, None), answers)


def test_files_are_named_as_in_the_bundle(tmp_path: Path) -> None:
    for name in ("model.bin", "a.json"):
        (tmp_path / name).write_text(name)
    file = measured(tmp_path)
    assert file.files() == {"a.json": tmp_path / "a.json", "model.bin": tmp_path / "model.bin"}
    assert file.checked.lowered.model_file == tmp_path / "model.bin"
    assert file.made.tools == {"tool": "1"}


@pytest.mark.parametrize(("completion", "latency"), [("complete", 2.0), ("finish-on-device", None)])
def test_a_latency_counts_only_where_the_device_has_this_engine(
    tmp_path: Path, completion: str, latency: float | None
) -> None:
    assert measured(tmp_path, completion).latency_ms == latency


@pytest.mark.parametrize(("reported", "count"), [(3, 3), ("many", None), (None, None)])
def test_partitions_are_known_where_the_engine_reports_a_number(
    tmp_path: Path, reported: Any, count: int | None
) -> None:
    assert measured(tmp_path, xnnpack_partitions=reported).partitions == count


def test_a_job_that_failed_is_reported_with_its_hint() -> None:
    error = JobError("engine int8: no operator", "another student")
    failed = Failed.by_job(attempt(), "lowering", error)
    assert failed.failure == "engine int8: no operator; another student"
    assert (failed.error, failed.made, failed.stage) == (error, None, "lowering")
