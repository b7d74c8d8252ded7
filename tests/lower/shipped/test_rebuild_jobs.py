"""Which certificate a bundle can have, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from shipped_builds import TARGET, build

from edgekd.errors import InputError
from edgekd.lower.plan import BuildRequest
from edgekd.lower.shipped.rebuild_jobs import NotCertifiedError, rebuild_jobs
from edgekd.lower.shipped.student import read_student
from edgekd.targets import load_target


def test_a_target_without_a_certificate_is_refused_with_the_command(
    students: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDGEKD_STUDENTS", str(students))
    student = read_student(students / "tiny-student")
    request = BuildRequest(student.folder, [load_target("rpi"), TARGET], tmp_path / "my out")
    jobs, refused = rebuild_jobs(request, student)
    assert [job.plan.name for job in jobs] == ["cpu-onnx"]
    assert list(refused) == ["rpi"]
    error = refused["rpi"].error
    assert isinstance(error, NotCertifiedError)
    assert error.exit_code == 4
    assert error.message == "rpi is not certified: tiny-student carries no certificate of rpi"
    command = f"edgekd build --target rpi --model tiny-student --out '{tmp_path}/my out' --data"
    assert command in error.hint


def test_a_precision_that_the_target_lacks_is_a_mistake(students: Path, tmp_path: Path) -> None:
    student = read_student(students / "tiny-student")
    request = BuildRequest(student.folder, [TARGET], tmp_path, precisions=("int8-weights",))
    jobs, refused = rebuild_jobs(request, student)
    assert jobs == []
    assert isinstance(refused["cpu-onnx-int8-weights"].error, InputError)


def test_what_a_bundle_is_made_from_is_in_its_key(students: Path, tmp_path: Path) -> None:
    student = read_student(students / "tiny-student")

    def key(**changes: bool) -> str:
        request = BuildRequest(student.folder, [TARGET], tmp_path, **changes)  # type: ignore[arg-type]
        ((job,), _) = rebuild_jobs(request, student)
        return job.plan.key

    assert key() == key()
    assert len({key(), key(research=True), key(list_images=False)}) == 3


def test_another_target_of_the_backend_has_the_same_certificate(
    students: Path, tmp_path: Path
) -> None:
    mine = msgspec.structs.replace(TARGET, name="mine", title="my device")
    built = build(students / "tiny-student", tmp_path, targets=[mine])
    assert built.manifest is not None
    assert built.manifest.certificate is not None
    assert built.manifest.certificate.certified
    assert built.manifest.lowering.target == "mine"
    assert "my device" in built.manifest.description


def test_a_precision_by_name_has_the_certificate_of_its_file(
    students: Path, tmp_path: Path
) -> None:
    built = build(students / "tiny-student", tmp_path, precisions=("int8",))
    assert built.name == "cpu-onnx-int8"
    assert built.manifest is not None
    assert built.manifest.certificate is not None
    assert built.manifest.certificate.certified


def test_a_precision_without_ranges_is_not_lowered(students: Path, tmp_path: Path) -> None:
    built = build(students / "tiny-student", tmp_path, precisions=("int8-mixed",), research=True)
    assert isinstance(built.error, InputError)
    assert "no ranges for int8-mixed" in built.error.message
