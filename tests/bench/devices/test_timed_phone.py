"""The harness on a phone whose models LiteRT's `benchmark_model` times: as a user configures it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import adb
import cv2
import msgspec
import numpy as np
import pytest
from abuse.bundles import CLASSES, FILES, MODELS, manifest_of, zip_of
from adb.phone import Phone
from rich.console import Console

from edgekd.bench.report import write_page
from edgekd.bench.result import SPAN_TENSOR, Result
from edgekd.bench.result.file import read_result, write_result
from edgekd.bench.run.harness import run_benchmark
from edgekd.bench.run.request import BenchRequest
from edgekd.bench.subjects.data import BenchData
from edgekd.bundle import MANIFEST, SELFTEST
from edgekd.bundle.manifest import encode_manifest
from edgekd.cli import main

RECORDINGS = Path(adb.__file__).parent / "recordings"
pytest.importorskip("ai_edge_litert", reason="answers come from LiteRT: pip install ai-edge-litert")


@pytest.fixture
def photos(tmp_path: Path) -> BenchData:
    """Six noisy photos, two of each class."""
    generator, images = np.random.default_rng(0), []
    for index in range(6):
        path = tmp_path / f"{index}.png"
        cv2.imwrite(str(path), generator.integers(60, 200, (80, 80, 3)).astype(np.uint8))
        images.append((path, CLASSES[index % len(CLASSES)]))
    return BenchData("tiny", "test", CLASSES, images)


def write_bundle(path: Path, backend: str = "tflite") -> Path:
    """A bundle for a phone, in one file."""
    files = {name: (MODELS / name).read_bytes() for name in (*FILES[backend], SELFTEST)}
    manifest = manifest_of(backend, files)
    lowering = msgspec.structs.replace(manifest.lowering, target="android")
    manifest = msgspec.structs.replace(manifest, lowering=lowering)
    path.write_bytes(zip_of({MANIFEST: encode_manifest(manifest), **files}))
    return path


@pytest.fixture
def configure(phone: Phone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes the section of the phone."""

    def write(**keys: Any) -> None:
        folder = f"{phone.home_there}/edgekd"
        keys = {"kind": "adb", "serial": phone.serial, "folder": folder} | keys
        lines = [f"{name} = {json.dumps(value)}" for name, value in keys.items()]
        file = tmp_path / "devices.toml"
        file.write_text("\n".join(["[android]", *lines]))
        monkeypatch.setenv("EDGEKD_DEVICES", str(file))

    return write


def program(phone: Phone, recording: str = "litert-cpu") -> Path:
    return phone.program(
        "benchmark_model",
        f'echo "$@" >> {phone.home}/calls; cat {RECORDINGS / recording}.txt',
    )


def run(photos: BenchData, bundles: list[Path], **options: Any) -> Result:
    options = {"preset": "smoke", "threads": 2, "command": "bench"} | options
    request = BenchRequest(device="android", data=photos, bundles=bundles, **options)
    return run_benchmark(request, console=Console(quiet=True))


def test_times_are_the_phone_s_and_answers_the_host_s(
    phone: Phone, configure: Callable[..., None], photos: BenchData, tmp_path: Path
) -> None:
    configure(benchmark_model=str(program(phone)))
    result = run(photos, [write_bundle(tmp_path / "phone.edgekd")], sweep=(1,))
    (row,) = result.rows
    assert result.device.kind == "adb"
    assert result.missing == []
    latency = row.latency_ms
    assert latency.end_to_end is None
    assert latency.model_span == SPAN_TENSOR
    assert (latency.model.p50, latency.model.n, latency.model.p90) == (0.462, 2112, None)
    assert latency.load_ms == 4.48
    assert row.memory.rss_peak_delta_bytes == round(11.51 * 2**20)
    assert [(point.threads, point.p50) for point in row.sweep] == [(1, 0.462)]
    assert row.runtime["engine"] == "LiteRT benchmark_model"
    assert "--num_threads=2" in row.runtime["program"]
    assert row.metrics is not None
    assert row.valid
    codes = [flag.code for flag in row.flags]
    assert codes == ["no-samples", "random-input", "model-alone", "smoke", "accuracy-from-host"]
    calls = (phone.home / "calls").read_text().splitlines()
    assert len(calls) == 2  # time and memory are of one run


def test_the_result_can_be_written_read_and_looked_at(
    phone: Phone, configure: Callable[..., None], photos: BenchData, tmp_path: Path
) -> None:
    configure(benchmark_model=str(program(phone)))
    result = run(photos, [write_bundle(tmp_path / "phone.edgekd")])
    file, page = tmp_path / "phone.json", tmp_path / "phone.html"
    write_result(file, result)
    assert read_result(file) == result
    write_page([result], page)
    assert "Only statistics of the runs are known" in page.read_text()
    assert "p50 of the model call" in page.read_text()
    for ending in ("md", "csv"):
        arguments = ["report", str(file), f"--{'markdown' if ending == 'md' else ending}"]
        assert main([*arguments, str(tmp_path / f"table.{ending}")]) == 0
    assert "0.462" in (tmp_path / "table.md").read_text()
    assert "0.462" in (tmp_path / "table.csv").read_text()


def test_a_python_beside_the_program_gives_the_answers(
    phone: Phone, configure: Callable[..., None], photos: BenchData, tmp_path: Path
) -> None:
    configure(benchmark_model=str(program(phone)), python=sys.executable)
    (row,) = run(photos, [write_bundle(tmp_path / "phone.edgekd")]).rows
    assert row.latency_ms.model.p50 == 0.462
    assert row.metrics is not None
    assert not any(str(flag).startswith("accuracy-from-host") for flag in row.flags)


def test_what_the_program_cannot_run_is_told(
    phone: Phone, configure: Callable[..., None], photos: BenchData, tmp_path: Path
) -> None:
    configure(benchmark_model=str(program(phone)))
    (row,) = run(photos, [write_bundle(tmp_path / "phone.edgekd", "onnx")]).rows
    assert row.latency_ms is None
    assert row.metrics is not None
    assert not row.valid
    assert any("runs LiteRT files alone" in flag.detail for flag in row.flags)


def test_the_doctor_looks_for_the_program(
    phone: Phone, configure: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    configure(benchmark_model=str(program(phone)))
    assert main(["doctor", "--device", "android"]) == 0
    assert "ok      runner: models are timed by" in capsys.readouterr().out
    configure(benchmark_model=f"{phone.home_there}/none")
    assert main(["doctor", "--device", "android"]) == 3
    assert "missing runner: there is no" in capsys.readouterr().out
    configure(benchmark_model=str(program(phone)), python=sys.executable)
    assert main(["doctor", "--device", "android"]) == 0
    said = capsys.readouterr().out
    assert "ok      runner: models are timed by" in said
    assert "ok      Python: 3." in said


def test_a_phone_is_cleaned(
    phone: Phone, configure: Callable[..., None], photos: BenchData, tmp_path: Path
) -> None:
    configure(benchmark_model=str(program(phone)))
    run(photos, [write_bundle(tmp_path / "phone.edgekd")])
    assert (phone.home / "edgekd").exists()
    assert main(["bench", "--device", "android", "--clean-device"]) == 0
    assert not (phone.home / "edgekd").exists()
