"""A file is certified by its hash alone, and by an engine that answers as the judge's did."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from shipped_builds import build

from edgekd.errors import GateFailedError
from edgekd.files import sha256_of
from edgekd.lower.attempt import Measured
from edgekd.lower.plan import BuildRequest
from edgekd.lower.shipped.certifying import why_not_certified
from edgekd.lower.shipped.rebuild_jobs import NotCertifiedError, rebuild_jobs
from edgekd.lower.shipped.student import ShippedStudent, read_student
from edgekd.targets import load_target


def measured(folder: Path, tools: dict[str, str]) -> Measured:
    return cast(Measured, SimpleNamespace(made=SimpleNamespace(folder=folder, tools=tools)))


def certified_as(student: ShippedStudent, folder: Path) -> ShippedStudent:
    """The student, with a certificate of the files in a folder."""
    import msgspec

    (name,) = student.certificates
    manifest = student.certificates[name]
    entry = manifest.files[manifest.model_file]
    files = {
        file.name: msgspec.structs.replace(entry, sha256=sha256_of(file))
        for file in folder.iterdir()
    }
    return replace(student, certificates={name: msgspec.structs.replace(manifest, files=files)})


@pytest.fixture
def lowered(tmp_path: Path) -> Path:
    folder = tmp_path / "int8"
    folder.mkdir()
    for name in ("model.onnx", "model.data"):
        (folder / name).write_bytes(name.encode())
    return folder


def why(student: ShippedStudent, folder: Path, tools: dict[str, str] | None = None) -> str | None:
    request = BuildRequest(folder, [load_target("cpu-onnx")], folder.parent / "out")
    ((job,), _) = rebuild_jobs(request, student)
    known = next(iter(student.certificates.values())).lowering.tools
    return why_not_certified(student, job, measured(folder, known if tools is None else tools))


def test_the_same_files_are_certified_whatever_the_versions(students: Path, lowered: Path) -> None:
    student = certified_as(read_student(students / "tiny-student"), lowered)
    assert why(student, lowered) is None
    assert why(student, lowered, {"onnx": "99.0"}) is None


@pytest.mark.parametrize("change", ["a bit", "one more", "one less"])
def test_another_file_is_named(students: Path, lowered: Path, change: str) -> None:
    student = certified_as(read_student(students / "tiny-student"), lowered)
    if change == "a bit":
        content = bytearray((lowered / "model.onnx").read_bytes())
        content[0] ^= 1
        (lowered / "model.onnx").write_bytes(content)
    elif change == "one more":
        (lowered / "model.more").write_bytes(b"")
    else:
        (lowered / "model.data").unlink()
    name = {"a bit": "model.onnx", "one more": "model.more", "one less": "model.data"}[change]
    reason = why(student, lowered)
    assert reason is not None
    assert reason.startswith(f"{name} is not the file that was judged where tiny-student was made")


def test_what_differs_is_said_and_nothing_else_is_claimed(students: Path, lowered: Path) -> None:
    student = read_student(students / "tiny-student")
    reason = why(student, lowered, {"onnx": "99.0"})
    assert reason is not None
    assert "onnx 99.0 here" in reason
    same = why(student, lowered)
    assert same is not None
    assert "the tools have the same versions" in same
    assert "processor" in same


@pytest.mark.slow
def test_an_engine_that_answers_otherwise_is_found_out(
    copy: Path, reseal: Callable[[Path], None], tmp_path: Path
) -> None:
    with np.load(copy / "painted.npz") as arrays:
        wrong = {"images": arrays["images"], "cpu-onnx": arrays["cpu-onnx"] + np.float32(5)}
    np.savez(copy / "painted.npz", **wrong)
    reseal(copy)
    built = build(copy, tmp_path / "out")
    assert isinstance(built.error, GateFailedError)
    assert "the engine here answers otherwise" in built.error.message


def test_another_certificate_is_another_file(
    copy: Path, reseal: Callable[[Path], None], tmp_path: Path
) -> None:
    file = copy / "certificates" / "cpu-onnx.json"
    manifest = json.loads(file.read_text())
    manifest["files"]["model.onnx"]["sha256"] = "0" * 64
    manifest["lowering"]["tools"]["onnx"] = "0.1"
    file.write_text(json.dumps(manifest))
    reseal(copy)
    built = build(copy, tmp_path / "out")
    assert isinstance(built.error, NotCertifiedError)
    assert "0.1 there" in built.error.message
