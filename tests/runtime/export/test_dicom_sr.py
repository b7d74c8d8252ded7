"""The structured report: written to bytes, read back by pydicom and by highdicom."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from archives import (
    SERIES,
    SHA256,
    STUDY,
    WARNING,
    PredictionMaker,
    archived,
    code_of,
    faults_of,
    items,
)
from dicoms import PATIENT
from pydicom import Dataset, dcmread

from edgekd.errors import ImageError
from edgekd.runtime import Prediction
from edgekd.runtime.export import Coding, DeviceIdentity, Photo, to_dicom_sr

sr = pytest.importorskip("highdicom", reason="needs pip install 'edgekd[clinical]'").sr


def written(prediction: Prediction, device: DeviceIdentity, *given: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    to_dicom_sr(prediction, device, *given, **options).save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def group_of(document: bytes) -> Dataset:
    """The measurement group, as pydicom reads it."""
    (group,) = items(dcmread(io.BytesIO(document)), "CONTAINER")["126010"]
    (measured,) = group.ContentSequence
    return measured


def evaluations(group: Dataset) -> dict[str, list[str]]:
    return {
        name: [code_of(each.ConceptCodeSequence[0]) for each in found]
        for name, found in items(group, "CODE").items()
    }


def test_an_answer(predicted: PredictionMaker, device: DeviceIdentity) -> None:
    document = written(predicted(), device, Photo.read(b"photo", patient_id="4711"))
    group = group_of(document)
    coded = evaluations(group)
    assert (coded["decision"], coded["121071"]) == (["answer"], ["mel"])  # 121071: finding
    assert coded["not-excluded"] == ["mel", "nv"]
    numbers = items(group, "NUM")
    share = numbers["probability:mel"][0].MeasuredValueSequence[0]
    assert (float(share.NumericValue), share.FloatingPointValue) == (0.93, 0.93)
    texts = items(group, "TEXT")
    assert texts["warning"][0].TextValue == WARNING
    assert texts["photo-sha256"][0].TextValue == Photo.read(b"photo").sha256
    assert f"bundle sha256 {SHA256}" in [each.TextValue for each in texts["111002"]]


def test_what_it_is_and_whose(predicted: PredictionMaker, device: DeviceIdentity) -> None:
    report = dcmread(io.BytesIO(written(predicted(), device, Photo.read(b"x", patient_id="4711"))))
    assert report.SOPClassUID.name == "Comprehensive SR Storage"
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert (report.CompletionFlag, report.VerificationFlag) == ("COMPLETE", "UNVERIFIED")
    assert report.PreliminaryFlag == "PRELIMINARY"
    assert (report.DeviceSerialNumber, report.PatientID) == (SHA256, "4711")
    (observer,) = items(report, "UIDREF")["121012"]
    assert str(observer.UID) == device.uid
    assert "CurrentRequestedProcedureEvidenceSequence" not in report


def test_highdicom_reads_it_as_template_1500(
    predicted: PredictionMaker, device: DeviceIdentity
) -> None:
    report = sr.srread(io.BytesIO(written(predicted(), device, Photo.read(archived()))))
    (group,) = report.content.get_image_measurement_groups()
    assert [each.value for each in group.get_measurements()] == [0.93, 0.07]
    assert group.finding_type.value == "mel"
    assert len(group.source_images) == 1


def test_it_is_what_dicom_defines(
    predicted: PredictionMaker, referred: Prediction, device: DeviceIdentity, tmp_path: Path
) -> None:
    assert faults_of(written(predicted(), device, Photo.read(archived())), tmp_path) == []
    assert faults_of(written(referred, device), tmp_path) == []


def test_a_photo_of_an_archive_is_referenced_and_its_patient_kept(
    predicted: PredictionMaker, device: DeviceIdentity
) -> None:
    photo = Photo.read(archived(PatientName="Müller^Jürgen", SpecificCharacterSet="ISO_IR 100"))
    assert photo.header is not None
    report = dcmread(
        io.BytesIO(written(predicted(label="Nävus ☂", probabilities={}), device, photo))
    )
    assert (report.StudyInstanceUID, report.AccessionNumber) == (STUDY, "A7")
    assert str(report.PatientName) == "Müller^Jürgen"
    assert (report.PatientBirthDate, report.PatientSex) == ("19600102", "F")
    assert report.SeriesInstanceUID != SERIES
    (study,) = report.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == SERIES
    (image,) = series.ReferencedSOPSequence
    assert image.ReferencedSOPInstanceUID == photo.header.SOPInstanceUID
    (reference,) = items(group_of(written(predicted(), device, photo)), "IMAGE").values()
    assert reference[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == (
        photo.header.SOPInstanceUID
    )


def test_a_referral_and_a_bad_photo_have_no_finding(
    referred: Prediction, retaken: Prediction, device: DeviceIdentity
) -> None:
    for prediction in (referred, retaken):
        group = group_of(written(prediction, device))
        coded = evaluations(group)
        assert coded["decision"] == [prediction.decision]
        assert coded["reason"] == [prediction.reasons[0].code]
        assert ("not-excluded" in coded) == (prediction.decision == "refer")
        assert not {"121071"} & set(coded)
        assert items(group, "NUM") == {}
        assert items(group, "TEXT")["reason"][0].TextValue == prediction.reasons[0].text


def test_findings_and_values(
    findings: Prediction, predicted: PredictionMaker, device: DeviceIdentity
) -> None:
    coded = evaluations(group_of(written(findings, device)))
    assert (coded["network"], coded["veil"]) == (["52101004"], ["272519000"])
    depth = predicted(values={"depth": 3.4}, probabilities={}, conformal_set=None)
    (number,) = items(group_of(written(depth, device)), "NUM")["depth"]
    assert float(number.MeasuredValueSequence[0].NumericValue) == 3.4


def test_codes_of_a_terminology(predicted: PredictionMaker, device: DeviceIdentity) -> None:
    codes = {"mel": Coding("http://snomed.info/sct", "93655004", "Malignant melanoma of skin")}
    group = group_of(written(predicted(), device, codes=codes))
    (finding,) = items(group, "CODE")["121071"]
    concept = finding.ConceptCodeSequence[0]
    assert (concept.CodeValue, concept.CodingSchemeDesignator) == ("93655004", "SCT")


def test_a_header_with_wrong_values_is_refused_in_words(
    predicted: PredictionMaker, device: DeviceIdentity
) -> None:
    photo = Photo.read(archived())
    assert photo.header is not None
    photo.header.Modality = "SR"  # a report cannot be its photo
    with pytest.raises(ImageError, match="no report can be made of") as caught:
        to_dicom_sr(predicted(), device, photo)
    assert PATIENT not in f"{caught.value.message}{caught.value.hint}"
