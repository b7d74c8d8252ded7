"""Saved files run in a process of their own, by the runtime of their device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekd.lower.backends import get_backend
from edgekd.lower.jobs.process import JobError
from edgekd.lower.jobs.trial import TrialJob, try_files
from edgekd.lower.precision import Variant

SIZE = 32


@pytest.fixture(scope="module")
def files(student: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    get_backend("onnx").lower(student.graph, SIZE, Variant(precision="fp32"), None, folder)
    np.save(folder / "images.npy", student.images)
    return folder


def job(files: Path, out: Path, **models: str) -> TrialJob:
    return TrialJob(session="onnx", files=models, images=str(files / "images.npy"), out=str(out))


def test_answers_are_the_students(files: Path, student: Any, tmp_path: Path) -> None:
    states: list[str] = []
    model = str(files / "model.onnx")
    found = try_files(
        job(files, tmp_path / "out", a=model, b=model), log=tmp_path / "log", report=states.append
    )
    assert sorted(found) == ["a", "b"]
    np.testing.assert_allclose(found["a"].outputs, student.logits, atol=1e-3)
    np.testing.assert_array_equal(found["a"].outputs, found["b"].outputs)
    assert found["a"].milliseconds.shape == (len(student.images),)
    assert 0 < found["a"].latency_ms < 1000
    assert found["a"].facts["threads"] == 1
    assert states == [f"a 0/{len(student.images)}", f"b 0/{len(student.images)}"]


def test_a_file_that_cannot_be_read_is_told(files: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes((files / "model.onnx").read_bytes()[:500])
    with pytest.raises(JobError, match=r"onnx on a: .*broken\.onnx") as caught:
        try_files(job(files, tmp_path / "out", a=str(broken)), log=tmp_path / "a.log")
    assert caught.value.exit_code == 6
    assert (tmp_path / "a.reproduce.sh").is_file()


def test_an_unknown_engine_is_told(files: Path, tmp_path: Path) -> None:
    wrong = TrialJob(session="coreml", files={}, images=str(files / "images.npy"), out="x")
    with pytest.raises(JobError, match="coreml"):
        try_files(
            TrialJob(
                session=wrong.session, files={"a": str(files / "model.onnx")},
                images=wrong.images, out=str(tmp_path / "out"),
            ),
            log=tmp_path / "a.log",
        )  # fmt: skip
