"""The process that makes `model.pt2` and compares it with its ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

from colour_networks import coloured_images, logits_of, mean_colour
from lint_models import good_model, save

from edgekd.lower.backends.tensorrt.job import PROGRAM
from edgekd.lower.backends.tensorrt.parity import (
    ParityJob,
    compare_program,
    run_job,
)
from edgekd.lower.jobs.process import JobError


def job_of(folder: Path, onnx: bytes, outputs: np.ndarray | None = None, **more: Any) -> ParityJob:
    images, _ = coloured_images(60)
    (folder / "model.onnx").write_bytes(onnx)
    np.save(folder / "images.npy", images)
    np.save(folder / "outputs.npy", logits_of(images) if outputs is None else outputs)
    return ParityJob(
        onnx=str(folder / "model.onnx"), images=str(folder / "images.npy"),
        outputs=str(folder / "outputs.npy"), out=str(folder / "out"), **more,
    )  # fmt: skip


def test_a_program_that_agrees(tmp_path: Path) -> None:
    states: list[str] = []
    job = job_of(tmp_path, mean_colour())
    report = compare_program(job, log=tmp_path / "log", report=states.append)
    assert (report.images, report.pairs) == (60, 0)
    assert 0 <= report.max_difference < 1e-4
    assert states == ["0/60", "50/60"]
    assert {file.name for file in (tmp_path / "out").iterdir()} == {PROGRAM, "parity.json"}


@pytest.mark.parametrize(("change", "difference"), [(0.5, 0.5), (np.nan, -1.0)])
def test_one_image_that_differs_is_noticed(
    change: float, difference: float, tmp_path: Path
) -> None:
    outputs = logits_of(coloured_images(60)[0])
    outputs[41, 1] += change
    run_job(job_of(tmp_path, mean_colour(), outputs))
    report = (tmp_path / "out" / "parity.json").read_text()
    assert float(report.split('"max_difference": ')[1].split(",")[0]) == pytest.approx(
        difference, abs=1e-3
    )


def test_a_file_that_has_no_form_in_pytorch_is_bad_input(tmp_path: Path) -> None:
    model = good_model()
    model.graph.node[-1].op_type = "ReduceLogSumExp"
    job = job_of(tmp_path, save(model, tmp_path).read_bytes())
    with pytest.raises(JobError, match=r"model\.pt2 for torch-tensorrt: edgekd has no") as caught:
        compare_program(job, log=tmp_path / "log")
    assert caught.value.exit_code == 2
    assert not (tmp_path / "out" / PROGRAM).exists()
