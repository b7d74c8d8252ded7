"""`edgekd doctor --target jetson`: on this machine, and on trees of files like a Jetson's."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from edgekd.cli import main
from edgekd.doctor.finding import Finding
from edgekd.doctor.packages import ImportResult
from edgekd.doctor.tensorrt.diagnosis import Machine, examine_jetson

REPOSITORY = Path(__file__).resolve().parents[3]
RTX = Machine(library="tensorrt-rtx", capabilities=("SM86",))
L4T = "# R{major} (release), REVISION: {minor}, GCID: 1, BOARD: generic, EABI: aarch64\n"

no_tensorrt = pytest.mark.skipif(
    find_spec("tensorrt") is not None, reason="TensorRT is installed: uninstall it to see the rest"
)
needs_rtx = pytest.mark.skipif(
    find_spec("tensorrt_rtx_bindings") is None,
    reason="TensorRT-RTX's wheels are not installed: pip install 'edgekd[tensorrt-check]'",
)


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs that are kept for a user go with the test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def a_jetson(root: Path, l4t: str) -> Path:
    """The root of a machine whose system says so."""
    major, _, minor = l4t.partition(".")
    (root / "etc").mkdir()
    (root / "etc/nv_tegra_release").write_text(L4T.format(major=major, minor=minor))
    return root


def by_ability(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.ability: finding for finding in findings}


@pytest.mark.slow
@no_tensorrt
@needs_rtx
def test_a_host_is_told_what_it_can_do_for_the_target(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--target", "jetson", "--json"]) == 0
    found = {one["ability"]: one for one in json.loads(capsys.readouterr().out)}
    run = found["run jetson bundles"]
    assert (run["works"], run["needed"], run["package"]) == (False, False, "tensorrt")
    assert "TensorRT comes with JetPack" in run["detail"]
    check = found["check jetson bundles against TensorRT's parser and builder"]
    assert check["works"]
    assert re.fullmatch(r"a one-op engine by RTX [\d.]+", check["detail"])
    by_onnx = found["run jetson bundles by ONNX Runtime"]
    assert by_onnx["works"]
    assert "--backend onnx" in by_onnx["detail"]
    assert found["lower for jetson"]["works"]
    assert "JetPack" not in found


@no_tensorrt
def test_a_jetson_without_tensorrt_cannot_do_its_work(tmp_path: Path) -> None:
    found = by_ability(examine_jetson(machine=Machine(root=a_jetson(tmp_path, "36.4.3"))))
    assert found["JetPack"].works
    assert "6.1, 6.2 (L4T 36.4.3), which brings TensorRT 10.3" in found["JetPack"].detail
    run = found["run jetson bundles"]
    assert (run.works, run.needed, run.package) == (False, True, "tensorrt")
    assert "power mode" in found


def install_tensorrt(root: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of that name that says which version it is, for the processes to come."""
    (root / "tensorrt").mkdir()
    (root / "tensorrt/__init__.py").write_text(f"__version__ = {version!r}\n")
    monkeypatch.setenv("PYTHONPATH", str(root))


def test_a_tensorrt_of_jetpack_5_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_tensorrt(tmp_path, "8.5.2", monkeypatch)
    found = by_ability(examine_jetson(machine=Machine(tmp_path)))
    run = found["run jetson bundles"]
    assert (run.works, run.needed) == (False, True)
    assert "TensorRT 8.5.2 knows no strongly typed networks" in run.detail
    assert "use TensorRT 10 or newer (JetPack 6.1 or newer)" in run.detail


@pytest.mark.skipif(
    find_spec("cuda") is None, reason="cuda-python is not installed: pip install cuda-python"
)
@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a GPU: unplug it")
def test_a_tensorrt_without_a_gpu_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The CUDA runtime that says so is the real one; packages beside it need not be imported."""
    monkeypatch.setattr(
        "edgekd.doctor.import_modules", lambda names: {name: ImportResult("1") for name in names}
    )
    install_tensorrt(tmp_path, "10.3.0", monkeypatch)
    assert main(["doctor", "--target", "jetson"]) == 5
    said = capsys.readouterr()
    assert "missing run jetson bundles: a one-op engine: CUDA failed in" in said.out
    assert "ok      run jetson bundles by ONNX Runtime" in said.out
    assert "this machine cannot run jetson bundles" in said.err


@needs_rtx
def test_an_engine_that_is_built_and_cannot_run_is_a_fault(tmp_path: Path) -> None:
    """TensorRT-RTX builds here, and its engine finds neither TensorRT nor a GPU."""
    build, run = examine_jetson(machine=replace(RTX, root=tmp_path))[:2]
    assert build.works
    assert re.match(r"a one-op engine in \d+\.\d s by TensorRT RTX", build.detail)
    assert (run.ability, run.works) == ("run jetson bundles", False)


@needs_rtx
def test_what_goes_wrong_keeps_its_log(tmp_path: Path) -> None:
    (fault, *_) = examine_jetson(machine=replace(RTX, root=tmp_path, capabilities=("SM10",)))
    assert (fault.works, fault.needed, fault.package) == (False, True, "")
    assert fault.detail.startswith("a one-op engine: this TensorRT cannot build for SM10; known: ")
    log = re.search(r"see (\S+build\.log)", fault.detail)
    assert log is not None
    assert "SM10" in Path(log[1]).read_text()


def test_an_old_jetpack_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (system, *_) = examine_jetson(machine=Machine(a_jetson(tmp_path, "35.4.1")))
    assert (system.works, system.needed) == (False, True)
    assert "TensorRT is older than 10 and knows no strongly typed networks" in system.detail
    assert "flash an Orin with JetPack 6.1 or newer" in system.detail
