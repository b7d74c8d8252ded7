"""`edgekd predict --fhir --dicom-sr --dicom-sc`: files that the libraries read back."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tiny_bundles import ANSWER, REFER, write_photo, write_tiny_bundle

from edgekd.cli import main

pytest.importorskip("highdicom", reason="needs pip install 'edgekd[clinical]'")
pytest.importorskip("fhir.resources", reason="needs pip install 'edgekd[clinical]'")
CODES = {"bkl": {"system": "http://snomed.info/sct", "code": "398838000", "display": "Keratosis"}}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_bundle(tmp_path_factory.mktemp("tiny") / "bundle"))


@pytest.fixture
def photo(tmp_path: Path) -> str:
    return str(write_photo(tmp_path / "photo.png", ANSWER))


def test_all_of_one_photo(
    bundle: str, photo: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from fhir.resources.R4B.diagnosticreport import DiagnosticReport
    from highdicom.sr import srread
    from pydicom import dcmread

    (tmp_path / "codes.json").write_text(json.dumps(CODES))
    words = ["--codes", str(tmp_path / "codes.json"), "--patient", "4711", "--udi", "(01)0471"]
    places = {name: tmp_path / name for name in ("fhir", "dicom-sr", "dicom-sc")}
    words += [word for name, path in places.items() for word in (f"--{name}", str(path))]
    assert main(["predict", bundle, photo, *words, "--picture", photo]) == 0
    assert "answer | bkl 1.00" in capsys.readouterr().out
    report = DiagnosticReport.model_validate_json(places["fhir"].read_bytes())
    assert report.subject.identifier.value == "4711"
    assert '"398838000"' in places["fhir"].read_text()
    document, capture = srread(places["dicom-sr"]), dcmread(places["dicom-sc"])
    (group,) = document.content.get_image_measurement_groups()
    assert group.finding_type.value == "398838000"
    assert document.StudyInstanceUID == capture.StudyInstanceUID
    assert (document.PatientID, capture.PatientID) == ("4711", "4711")
    assert document.UDISequence[0].UniqueDeviceIdentifier == "(01)0471"
    assert capture.pixel_array.shape == (48, 64, 3)


def test_stdout_holds_nothing_else(
    bundle: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    grey = str(write_photo(tmp_path / "grey.png", REFER))
    assert main(["predict", bundle, grey, "--fhir", "-"]) == 0
    said = capfd.readouterr()
    assert json.loads(said.out)["resourceType"] == "DiagnosticReport"
    assert "refer | unsure" in said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["PHOTO", "--fhir", "OUT"], "an export is of one photo"),
        (["--dicom-sc", "OUT"], "--dicom-sc and --picture go together"),
        (["--picture", "PHOTO"], "--dicom-sc and --picture go together"),
        (["--patient", "4711"], "are for exports"),
        (["--fhir", "OUT", "--codes", "PHOTO"], "cannot read the codes"),
        (["--fhir", "OUT", "--dicom-sr", "OUT"], "two outputs would be written"),
    ],
)
def test_what_cannot_be_exported(
    words: list[str],
    said: str,
    bundle: str,
    photo: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    places = {"OUT": str(out), "PHOTO": photo}
    assert main(["predict", bundle, photo, *(places.get(word, word) for word in words)]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("flag", "module", "package"),
    [("--fhir", "fhir.resources.R4B", "fhir.resources"), ("--dicom-sr", "highdicom", "highdicom")],
)
def test_without_the_extra(
    flag: str,
    module: str,
    package: str,
    bundle: str,
    photo: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["predict", bundle, photo, flag, str(tmp_path / "out")]) == 3
    said = capsys.readouterr()
    assert f"{package} is not installed" in said.err
    assert "pip install 'edgekd[clinical]'" in said.err
    assert said.out == ""
    assert not (tmp_path / "out").exists()


def test_an_unreadable_photo_has_no_export(
    bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    out = tmp_path / "out"
    assert main(["predict", bundle, str(tmp_path / "text.jpg"), "--fhir", str(out)]) == 2
    assert not out.exists()


def test_the_decision_stands_where_the_export_fails(
    bundle: str, photo: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["predict", bundle, photo, "--fhir", str(out), "--patient", "4\\7", "--json"]
    assert main(words) == 2
    said = capsys.readouterr()
    assert json.loads(said.out)[0]["decision"] == "answer"
    assert "a patient's number" in said.err
    assert not out.exists()
