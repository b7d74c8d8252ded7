"""A photo of an archive, and what a structured report holds, for the tests of exports."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dicoms import PHOTO, dicom
from pydicom.dataset import Dataset

from edgekd.runtime import Prediction

SHA256 = "ab" * 32
STUDY, SERIES = "1.2.826.0.1.3680043.8.498.2", "1.2.826.0.1.3680043.8.498.3"
WARNING = "for research, floor not met: sensitivity for mel is 0.4"

PredictionMaker = Callable[..., Prediction]


def archived(**tags: Any) -> bytes:
    """A DICOM photo with a patient and a study."""
    fields = {
        "StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES, "PatientID": "4711",
        "PatientSex": "F", "PatientBirthDate": "19600102", "StudyDate": "20260203",
        "StudyTime": "101112", "AccessionNumber": "A7", "StudyID": "S1",
    }  # fmt: skip
    return dicom(PHOTO, **fields | tags)


def items(container: Dataset, kind: str) -> dict[str, list[Any]]:
    """Content items of a value type below a container, by code or text of their names."""
    values: dict[str, list[Any]] = {}
    for item in container.ContentSequence:
        if item.ValueType == kind:
            name = item.ConceptNameCodeSequence[0]
            values.setdefault(code_of(name), []).append(item)
    return values


def code_of(concept: Dataset) -> str:
    """The value of a coded concept, whichever element it stands in."""
    return str(concept.get("CodeValue") or concept.LongCodeValue)


def faults_of(document: bytes, folder: Path) -> list[str]:
    """Where a DICOM object departs from its definition, as dicom3tools' `dciodvfy` finds it."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("needs dciodvfy: apt install dicom3tools")
    (folder / "object.dcm").write_bytes(document)
    command = ["dciodvfy", str(folder / "object.dcm")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]
