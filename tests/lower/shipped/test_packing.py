"""Making a shipped student of a run: everything or nothing, and nothing below a floor."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import lenient
import msgspec
import numpy as np
import pytest

from edgekd.errors import GateFailedError, InputError
from edgekd.lower.backends import backend_names
from edgekd.lower.shipped import packing
from edgekd.lower.shipped.checks import verify_rebuilt
from edgekd.lower.shipped.packing import check_student, pack_student
from edgekd.lower.shipped.shipment import Shipment
from edgekd.lower.shipped.student import read_student
from edgekd.lower.source import load_source
from edgekd.targets import Target, load_target

SHIP = Path(__file__).resolve().parents[3] / "benchmarks" / "study" / "ship.py"


def target(name: str, *ladder: str) -> Target:
    return msgspec.structs.replace(load_target(name), ladder=ladder)


def shipment(run: Path, tmp_path: Path, **changes: object) -> Shipment:
    known: dict[str, object] = {
        "name": "other-student",
        "targets": [target("cpu-onnx", "fp32")],
        "policy": lenient.POLICY,
    }
    return Shipment(run=run, out=tmp_path / "out", work=tmp_path / "work", **(known | changes))  # type: ignore[arg-type]


def test_the_folder_holds_no_image_but_the_painted_ones(students: Path, small_run: Path) -> None:
    folder = students / "tiny-student"
    names = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert names == {
        "model.json", "model.safetensors", "split.csv", "metrics.json", "card.md", "seal.json",
        "painted.npz", "seen-images.json", "certificates/cpu-onnx.json",
        "ranges/onnx-int8.safetensors",
    }  # fmt: skip
    assert {path.name for path in students.iterdir()} == {"tiny-student"}


def test_the_policy_of_the_build_is_that_of_the_student(students: Path) -> None:
    card = read_student(students / "tiny-student").card
    assert card.policy is not None
    assert card.policy["name"] == "lenient"


def test_a_student_below_a_floor_is_not_shipped(small_run: Path, tmp_path: Path) -> None:
    policy = tmp_path / "strict.toml"
    text = lenient.POLICY.read_text().replace("beyond_chance = false", "answered = 1.0")
    policy.write_text(text)
    lines: list[str] = []
    with pytest.raises(GateFailedError, match="below a floor of the policy lenient"):
        pack_student(shipment(small_run, tmp_path, policy=policy, say=lines.append))
    assert any(line.startswith("floor NOT MET: the share of images that get") for line in lines)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "work" / "bundles").exists()  # nothing was lowered for it


def test_a_check_alone_writes_no_student(small_run: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    check_student(shipment(small_run, tmp_path, say=lines.append))
    assert lines[-1] == (
        "other-student reaches its floors as a float network; nothing is lowered yet"
    )
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "work" / "bundles").exists()


def test_a_students_name_is_checked_first(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no name of a student"):
        pack_student(shipment(tmp_path / "absent", tmp_path, name="../up"))


@pytest.fixture
def rounding(small_run: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Weights that are as large as the run's are too large unless they are rounded."""
    size = (small_run / "student" / "model.safetensors").stat().st_size
    store = packing.store_student
    monkeypatch.setattr(
        packing, "store_student", lambda run, out: store(run, out, most_bytes=size - 1)
    )
    return size


def test_rounded_weights_are_measured_again(small_run: Path, tmp_path: Path, rounding: int) -> None:
    """The float student is what the rounded weights compute, and so are its metrics."""
    original = load_source(small_run)
    student = packing._stored(shipment(small_run, tmp_path), original)
    assert (student.folder / "model.safetensors").stat().st_size < 0.6 * rounding
    plain, metrics = original.metrics, student.metrics
    assert metrics["teacher"] == plain["teacher"]
    for part in ("validation", "test"):
        assert metrics[part] != plain[part]
        values = [each[part]["balanced_accuracy"]["value"] for each in (metrics, plain)]
        assert np.isclose(*values, atol=0.02)
    again = packing._stored(shipment(small_run, tmp_path), original)
    assert again.card == student.card


@pytest.mark.slow
def test_a_rounded_student_ships(small_run: Path, tmp_path: Path, rounding: int) -> None:
    folder = pack_student(shipment(small_run, tmp_path))
    student = read_student(folder)
    assert (folder / "model.safetensors").stat().st_size < 0.6 * rounding
    assert "stored as float16" in (folder / "card.md").read_text()
    assert student.ranges == {}  # an fp32 file has none
    assert student.certificates["cpu-onnx"].lowering.precision == "fp32"


def ship_main() -> Callable[[list[str]], int]:
    main: Callable[[list[str]], int] = runpy.run_path(str(SHIP))["main"]
    return main


def test_ship_py_tells_a_mistake_in_two_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ship_main()([str(tmp_path / "absent"), "--name", "a", "--target", "cpu-onnx"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert "there is no checkpoint" in lines[-2]
    assert "`edgekd train`" in lines[-1]
    assert not (tmp_path / "absent").exists()


def test_ship_py_tells_floors_and_ends(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(small_run), "--name", "a", "--out", str(tmp_path / "out"), "--check"]
    words += ["--work", str(tmp_path / "work"), "--target", "cpu-onnx"]
    assert ship_main()([*words, "--policy", str(lenient.POLICY)]) == 0
    assert "a reaches its floors" in capsys.readouterr().err
    assert ship_main()(words) == 4  # by the policy of the run, few images prove nothing
    assert "no file of this student can pass" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


OLDER_PROCESSOR = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4",
    "OPENBLAS_CORETYPE": "NEHALEM",
}
"""Instructions that PyTorch, oneDNN and NumPy are held to; LiteRT and OpenVINO have no switch."""


@pytest.mark.slow
def test_every_backend_builds_the_certified_file_again(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pack_student` itself builds them again without images, in new processes."""
    targets = [target(name, "int8") for name in ("rpi", "cpu", "cpu-onnx", "jetson")]
    assert {each.backend for each in targets} == set(backend_names())
    folder = pack_student(
        shipment(small_run, tmp_path, targets=targets, precisions=("fp16", "int8-mixed"))
    )
    student = read_student(folder)
    assert {"rpi", "cpu", "cpu-onnx", "jetson", "rpi-fp16", "jetson-int8-mixed"} <= set(
        student.certificates
    )
    assert len(student.ranges) == 2 * len(targets) + 1  # fp16 of TensorRT reads ranges too
    for name, value in OLDER_PROCESSOR.items():
        monkeypatch.setenv(name, value)
    assert verify_rebuilt(folder) == len(student.certificates)
