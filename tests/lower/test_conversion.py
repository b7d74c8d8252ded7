"""Conversions run in a process of their own; what fails leaves its log and a script."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edgekd.lower import conversion, worker
from edgekd.lower.conversion import ConversionError, ConversionJob, ConversionReport, convert
from edgekd.models import ModelCard, create_network, save_checkpoint
from edgekd.runtime.sessions import open_session

ARCH, CLASSES, SIZE = "mobilenetv2_035", ("mel", "nv", "bkl"), 32


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("student")
    network = create_network(ARCH, len(CLASSES), {})
    save_checkpoint(folder, network, make_card())
    return folder


def make_card() -> ModelCard:
    """A card with what a conversion needs; the rest as empty as its types allow."""
    known = {
        "role": "student",
        "arch": ARCH,
        "classes": CLASSES,
        "image_size": SIZE,
        "resize": "any",
        "pretrained": "none",
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "weights_sha256": "",
        "params": 1,
        "macs": 1,
        "data": {"name": "none", "root": "", "sha256": "", "images": {}},
        "training": {
            "method": "none",
            "seed": 0,
            "recipe_sha256": "",
            "stage_sha256": "",
            "epochs": 0,
            "best_epoch": 0,
        },
    }
    return msgspec.convert(known, ModelCard)


@pytest.fixture
def calibration(tmp_path: Path) -> str:
    file = tmp_path / "calibration.npy"
    np.save(file, np.random.default_rng(0).integers(0, 256, (8, SIZE, SIZE, 3)).astype(np.uint8))
    return str(file)


def make_job(checkpoint: Path, out: Path, **changes: object) -> ConversionJob:
    job = ConversionJob(
        backend="openvino",
        precisions=("fp32", "int8"),
        checkpoint=str(checkpoint),
        out=str(out),
        threads=2,
    )
    return msgspec.structs.replace(job, **changes)


@pytest.mark.slow
def test_one_process_lowers_to_several_precisions(
    checkpoint: Path, calibration: str, tmp_path: Path
) -> None:
    out, log = tmp_path / "out", tmp_path / "logs" / "openvino.log"
    report = convert(make_job(checkpoint, out, calibration=calibration), log=log)
    assert [done.precision for done in report.conversions] == ["fp32", "int8"]
    assert sorted(file.name for file in out.iterdir()) == ["fp32", "int8", "report.json"]
    for done in report.conversions:
        session = open_session("openvino", out / done.file, threads=1)
        assert (session.classes, session.input_shape) == (len(CLASSES), (1, SIZE, SIZE, 3))
        files = (out / done.precision).iterdir()
        assert done.size_bytes == sum(file.stat().st_size for file in files)
        assert done.seconds > 0
        assert "openvino" in done.versions
    assert "openvino int8: done" in log.read_text()
    assert not (log.parent / "reproduce.sh").exists()


def test_failure_leaves_log_and_script(tmp_path: Path) -> None:
    job = make_job(tmp_path, tmp_path / "out", backend="coreml", precisions=("int8",))
    with pytest.raises(ConversionError, match="coreml int8: there is no lowering") as caught:
        convert(job, log=tmp_path / "logs" / "int8.log")
    script = tmp_path / "logs" / "reproduce.sh"
    assert str(script) in caught.value.hint
    assert caught.value.exit_code == 2  # the user's mistake stays the user's mistake
    assert not list((tmp_path / "out").glob("*"))
    again = subprocess.run([script], capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "no lowering backend 'coreml'" in again.stdout


def quick_worker(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Put a worker in place that runs `code` and knows no converter."""
    original = conversion._run

    def run(command: list[str], log: Path) -> int:
        return original([sys.executable, "-c", code], log)

    monkeypatch.setattr(conversion, "_run", run)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.kill(os.getpid(), 9)", r"ended by SIGKILL \(out of memory\?\)"),
        (f"import os; os.kill(os.getpid(), {signal.SIGSEGV:d})", "ended by SIGSEGV"),
        ("print('unsupported operator'); raise SystemExit(4)", "unsupported operator"),
        ("raise SystemExit(9)", "ended with exit code 9 and said nothing"),
        ("print('all is well')", "all is well"),  # no report although the exit code is 0
    ],
)
def test_last_words(code: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    quick_worker(monkeypatch, code)
    with pytest.raises(ConversionError, match=said) as caught:
        convert(make_job(tmp_path, tmp_path / "out"), log=tmp_path / "worker.log")
    assert caught.value.exit_code == 1
    assert os.access(tmp_path / "reproduce.sh", os.X_OK)


def test_an_old_report_does_not_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"backend": "openvino", "conversions": []}')
    quick_worker(monkeypatch, "pass")
    with pytest.raises(ConversionError):
        convert(make_job(tmp_path, tmp_path), log=tmp_path / "worker.log")


def test_half_a_conversion_leaves_nothing(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Breaking:
        name, model_file = "breaking", "model.bin"

        def lower(
            self, graph: object, size: int, precision: str, images: object, out: Path
        ) -> None:
            (out / "model.bin").write_bytes(b"half")
            raise RuntimeError("disk full")

    monkeypatch.setattr(worker, "get_backend", lambda name: Breaking())
    job = make_job(checkpoint, tmp_path / "out", precisions=("fp32",))
    with pytest.raises(RuntimeError, match="disk full"):
        worker.run_job(job)
    assert not list((tmp_path / "out").iterdir())


def test_worker_tells_unexpected_errors_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "job.json").write_text("{}")
    assert worker.main([str(tmp_path / "job.json")]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("edgekd-error: ValidationError: Object missing required field")


def test_damaged_calibration(checkpoint: Path, tmp_path: Path) -> None:
    file = tmp_path / "calibration.npy"
    file.write_bytes(b"no array")
    job = tmp_path / "job.json"
    content = make_job(checkpoint, tmp_path / "out", calibration=str(file))
    job.write_bytes(msgspec.json.encode(content))
    assert worker.main([str(job)]) == 2


def test_report_is_readable_by_others(tmp_path: Path) -> None:
    report = ConversionReport(backend="tflite", conversions=())
    assert json.loads(msgspec.json.encode(report)) == {"backend": "tflite", "conversions": []}
