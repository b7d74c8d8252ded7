"""Conversions run in a process of their own; what fails leaves its log and a script."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pytest
from cards import CLASSES, SIZE, make_card

from edgekd.lower.jobs.conversion import ConversionJob, ConversionReport, convert
from edgekd.lower.jobs.process import JobError
from edgekd.lower.precision import Variant
from edgekd.models import create_network, save_checkpoint
from edgekd.runtime.sessions import open_session

INT8 = Variant(precision="int8")
ARCH = "test_efficientnet"
"""The smallest network with a `conv_stem`."""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("student")
    network = create_network(ARCH, len(CLASSES), {})
    save_checkpoint(folder, network, msgspec.structs.replace(make_card(), arch=ARCH))
    return folder


@pytest.fixture
def calibration(tmp_path: Path) -> str:
    file = tmp_path / "calibration.npy"
    np.save(file, np.random.default_rng(0).integers(0, 256, (8, SIZE, SIZE, 3)).astype(np.uint8))
    return str(file)


def make_job(checkpoint: Path, out: Path, **changes: object) -> ConversionJob:
    job = ConversionJob(
        backend="openvino",
        variants=(Variant(precision="fp32"), Variant(precision="int8")),
        checkpoint=str(checkpoint),
        out=str(out),
        threads=2,
    )
    return msgspec.structs.replace(job, **changes)


@pytest.mark.slow
def test_one_process_lowers_to_several_variants(
    checkpoint: Path, calibration: str, tmp_path: Path
) -> None:
    out, log, states = tmp_path / "out", tmp_path / "logs" / "openvino.log", []
    mixed = Variant(precision="int8-mixed", float_layers=("conv_stem",))
    variants = (Variant(precision="fp32"), Variant(precision="int8"), mixed)
    job = make_job(checkpoint, out, calibration=calibration, variants=variants)
    report = convert(job, log=log, report=states.append)
    assert states == ["fp32", "int8", "int8-mixed-1"]
    assert [done.variant for done in report.conversions] == list(variants)
    assert sorted(file.name for file in out.iterdir()) == [*sorted(states), "report.json"]
    for done in report.conversions:
        session = open_session("openvino", out / done.file, threads=1)
        assert session.output_shape == (1, len(CLASSES))
        assert session.input_shape == (1, SIZE, SIZE, 3)
        files = (out / done.variant.label).iterdir()
        assert done.size_bytes == sum(file.stat().st_size for file in files)
        assert done.seconds > 0
        assert "openvino" in done.versions
    assert "openvino int8: done" in log.read_text()
    assert not list(log.parent.glob("*reproduce.sh"))


def test_failure_leaves_log_and_script(tmp_path: Path) -> None:
    job = make_job(tmp_path, tmp_path / "out", backend="coreml", variants=(INT8,))
    with pytest.raises(JobError, match="coreml int8: there is no backend") as caught:
        convert(job, log=tmp_path / "logs" / "int8.log")
    script = tmp_path / "logs" / "int8.reproduce.sh"
    assert str(script) in caught.value.hint
    assert caught.value.exit_code == 2  # the user's mistake stays the user's mistake
    assert not list((tmp_path / "out").glob("*"))
    again = subprocess.run([script], capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "no backend 'coreml'" in again.stdout
    assert os.access(script, os.X_OK)


def test_report_is_readable_by_others(tmp_path: Path) -> None:
    report = ConversionReport(backend="tflite", conversions=())
    assert json.loads(msgspec.json.encode(report)) == {"backend": "tflite", "conversions": []}
