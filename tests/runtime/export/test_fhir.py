"""FHIR R4B: validated by fhir.resources, read back from the JSON."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone
from typing import Any

import pytest
from archives import SHA256, STUDY, WARNING, PredictionMaker, archived

from edgekd.errors import MissingDependencyError
from edgekd.runtime import Prediction
from edgekd.runtime.export import Coding, DeviceIdentity, Photo, to_fhir

pytest.importorskip("fhir.resources", reason="needs pip install 'edgekd[clinical]'")
WHEN = datetime(2026, 2, 3, 10, 11, 12, tzinfo=timezone.utc)
Json = dict[str, Any]


def exported(prediction: Prediction, device: DeviceIdentity, **options: Any) -> Json:
    """The report's JSON, validated by the models of R4B once more."""
    from fhir.resources.R4B.diagnosticreport import DiagnosticReport

    text = to_fhir(prediction, device, **options).model_dump_json()
    DiagnosticReport.model_validate_json(text)
    document: Json = json.loads(text)
    return document


def observations(report: Json) -> dict[str, Json]:
    """Observations by the code of what they observe."""
    found = [each for each in report["contained"] if each["resourceType"] == "Observation"]
    assert [f"#{each['id']}" for each in found] == [r["reference"] for r in report["result"]]
    return {each["code"]["coding"][0]["code"]: each for each in found}


def value(part: Json) -> str:
    return str(part["valueCodeableConcept"]["coding"][0]["code"])


def test_an_answer(predicted: PredictionMaker, device: DeviceIdentity) -> None:
    report = exported(predicted(), device, when=WHEN)
    parts = observations(report)
    assert list(parts) == ["decision", "class", "conformal-set"]
    assert (value(parts["decision"]), value(parts["class"])) == ("answer", "mel")
    shares = {
        part["code"]["coding"][0]["code"]: part["valueQuantity"]["value"]
        for part in parts["class"]["component"]
    }
    assert shares == {"probability:mel": 0.93, "probability:nv": 0.07}
    assert [value(part) for part in parts["conformal-set"]["component"]] == ["mel", "nv"]
    assert {report["status"], *(each["status"] for each in parts.values())} == {"preliminary"}
    assert report["issued"] == "2026-02-03T10:11:12Z"
    assert WARNING in report["conclusion"]
    assert WARNING in report["text"]["div"]


def test_a_referral_and_a_bad_photo_have_no_class(
    referred: Prediction, retaken: Prediction, device: DeviceIdentity
) -> None:
    for prediction, codes in ((referred, ["decision", "conformal-set"]), (retaken, ["decision"])):
        report = exported(prediction, device)
        parts = observations(report)
        assert list(parts) == codes
        (reason,) = parts["decision"]["component"]
        assert value(reason) == prediction.reasons[0].code
        assert reason["valueCodeableConcept"]["text"] == prediction.reasons[0].text
        assert "0.93" not in json.dumps(report)


def test_findings_and_values(
    findings: Prediction, predicted: PredictionMaker, device: DeviceIdentity
) -> None:
    parts = observations(exported(findings, device))
    assert value(parts["network"]) == "52101004"
    assert parts["veil"]["interpretation"][0]["coding"][0]["code"] == "NEG"
    assert parts["network"]["component"][0]["valueQuantity"]["value"] == 0.9
    depth = predicted(values={"depth": 3.4}, probabilities={}, conformal_set=None)
    assert observations(exported(depth, device))["depth"]["valueQuantity"]["value"] == 3.4


def test_the_device_says_which_bundle_it_is(
    predicted: PredictionMaker, device: DeviceIdentity
) -> None:
    (resource, *rest) = exported(predicted(), device)["contained"]
    assert resource["identifier"][0]["value"] == SHA256
    assert "udiCarrier" not in resource  # left open
    assert {note["text"] for note in resource["note"]} >= {WARNING, "Decision support."}
    assert {part["device"]["reference"] for part in rest} == {"#device"}
    registered = DeviceIdentity("n", SHA256, "1", "1", "e", udi="(01)04711", manufacturer="Clinic")
    (resource, *_) = exported(predicted(), registered)["contained"]
    assert resource["udiCarrier"][0]["carrierHRF"] == "(01)04711"
    assert resource["manufacturer"] == "Clinic"


def test_whose_and_which_photo(predicted: PredictionMaker, device: DeviceIdentity) -> None:
    report = exported(predicted(), device, photo=Photo.read(archived()))
    assert report["imagingStudy"][0]["identifier"]["value"] == f"urn:oid:{STUDY}"
    assert report["subject"]["identifier"]["value"] == "4711"
    plain = exported(predicted(), device, photo=Photo.read(b"photo"), subject="Patient/7")
    assert plain["subject"] == {"reference": "Patient/7"}
    source = observations(plain)["decision"]["derivedFrom"][0]["identifier"]["value"]
    assert source == Photo.read(b"photo").sha256


def test_codes_of_a_terminology(predicted: PredictionMaker, device: DeviceIdentity) -> None:
    codes = {"mel": Coding("http://snomed.info/sct", "93655004", "Malignant melanoma of skin")}
    parts = observations(exported(predicted(), device, codes=codes))
    (coding,) = parts["class"]["valueCodeableConcept"]["coding"]
    assert (coding["system"], coding["code"]) == ("http://snomed.info/sct", "93655004")


def test_markup_in_a_name_stays_text(predicted: PredictionMaker, device: DeviceIdentity) -> None:
    report = exported(predicted(label="<b>x</b>", probabilities={}), device)
    assert "&lt;b&gt;x&lt;/b&gt;" in report["text"]["div"]


def test_without_the_library(
    predicted: PredictionMaker, device: DeviceIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fhir.resources.R4B", None)
    with pytest.raises(MissingDependencyError, match=r"fhir\.resources is not installed") as caught:
        to_fhir(predicted(), device)
    assert caught.value.hint == "pip install 'edgekd[clinical]'"
