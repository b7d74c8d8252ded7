"""What a student must not carry, and what must be built again of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekd.data import cache_folder
from edgekd.errors import ArtefactError, GateFailedError
from edgekd.lower.shipped.checks import refuse_places, verify_rebuilt


def test_a_shipped_student_names_no_place(students: Path, small_run: Path) -> None:
    refuse_places(students / "tiny-student", [Path.cwd(), Path.home(), small_run])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("model.json", json.dumps({"data": {"root": "/mnt/photos/ham10000"}})),
        ("model.json", json.dumps({"/mnt/photos/a.jpg": 1})),
        ("certificates/rpi.json", json.dumps({"rungs": [{"log": "C:\\Users\\me\\log.txt"}]})),
        ("card.md", "trained below {here}/data\n"),
    ],
)
def test_a_place_on_this_machine_is_refused(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / "student" / name
    file.parent.mkdir(parents=True)
    file.write_text(text.replace("{here}", str(tmp_path)))
    with pytest.raises(ArtefactError, match="names a place on this machine"):
        refuse_places(tmp_path / "student", [tmp_path])


@pytest.mark.parametrize("text", ["N/A", "edgekd/lower", "https://a.org/b/c", "9/10 of all", "/"])
def test_other_texts_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.json").write_text(json.dumps({"note": text}))
    refuse_places(tmp_path, [tmp_path / "elsewhere"])


def test_a_file_that_is_not_built_again_does_not_ship(
    copy: Path, reseal: Callable[[Path], None]
) -> None:
    """Of a whole student the fixture `students` has shown it: `pack_student` verifies its own."""
    file = copy / "certificates" / "cpu-onnx.json"
    manifest = json.loads(file.read_text())
    manifest["files"]["model.onnx"]["sha256"] = "0" * 64
    file.write_text(json.dumps(manifest))
    reseal(copy)
    with pytest.raises(GateFailedError, match="cannot be built again as it was certified"):
        verify_rebuilt(copy, cache_folder())
