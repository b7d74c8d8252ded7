"""A prediction as FHIR R4B: a DiagnosticReport that contains its Observations and the Device.

The report is preliminary: nobody has verified it. Validated by the models of fhir.resources.

Source: HL7 FHIR R4B (4.3.0), DiagnosticReport, Observation, Device.
"""

from __future__ import annotations

import html
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from edgekd.errors import MissingDependencyError
from edgekd.runtime.export.codes import (
    DECISIONS,
    IMAGING_REPORT,
    PHOTOGRAPHY,
    PRESENCE,
    Codebook,
    Coding,
    local,
)
from edgekd.runtime.export.identity import DeviceIdentity
from edgekd.runtime.export.photo import Photo
from edgekd.runtime.export.statement import Statement, statement_of, summary_of
from edgekd.runtime.prediction import Prediction

if TYPE_CHECKING:
    from fhir.resources.R4B.diagnosticreport import DiagnosticReport

__all__ = ["require_fhir", "to_fhir"]

_INTERPRETATIONS = {"present": "POS", "absent": "NEG", "unsure": "IND"}
_HL7 = "http://terminology.hl7.org/CodeSystem"
_UCUM = "http://unitsofmeasure.org"

Json = dict[str, Any]


def to_fhir(
    prediction: Prediction,
    device: DeviceIdentity,
    photo: Photo | None = None,
    *,
    codes: Mapping[str, Coding] | None = None,
    subject: str | None = None,
    when: datetime | None = None,
) -> DiagnosticReport:
    """The prediction as a DiagnosticReport; `report.model_dump_json()` is its JSON.

    Args:
        prediction: The prediction. Its answer is stated only where the decision is `answer`.
        device: What made it.
        photo: Its photo, which the observations are derived from.
        codes: Codes of a terminology for classes, by name; the others get local ones.
        subject: Reference to the patient on the hospital's server, such as `Patient/4711`.
            Default: the patient's number of the photo as an identifier, where it has one.
        when: Time of the prediction; now by default.

    Raises:
        MissingDependencyError: fhir.resources is not installed.
        ValueError: `subject` is no reference that FHIR allows.
    """
    require_fhir()
    from fhir.resources.R4B.diagnosticreport import DiagnosticReport

    statement = statement_of(prediction)
    book = Codebook(device.sha256, codes or {})
    shared = _shared(photo, subject, when or datetime.now(timezone.utc))
    observations = list(_observations(statement, book))
    derived = {"derivedFrom": [_source(photo)]} if photo else {}
    contained = [_device(device)] + [
        {
            "resourceType": "Observation", "id": f"observation-{number}", "status": "preliminary",
            "category": [_concept(_hl7("observation-category", "imaging", "Imaging"))],
            "device": {"reference": "#device"}, "method": _concept(PHOTOGRAPHY),
        } | shared | derived | observation
        for number, observation in enumerate(observations, 1)
    ]  # fmt: skip
    report = _report(statement, device, contained) | shared
    if photo is not None and photo.study_uid is not None:
        report["imagingStudy"] = [_source(photo)]
    return DiagnosticReport.model_validate(report)


def require_fhir() -> None:
    """Raise where fhir.resources is not installed."""
    try:
        import fhir.resources.R4B  # noqa: F401
    except ImportError:
        purpose = "write FHIR resources"
        raise MissingDependencyError("fhir.resources", "clinical", purpose) from None


def _report(statement: Statement, device: DeviceIdentity, contained: list[Json]) -> Json:
    summary = summary_of(statement, device)
    results = [{"reference": f"#{each['id']}"} for each in contained[1:]]
    return {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{uuid.uuid4()}"}],
        "text": {"status": "generated", "div": _narrative(summary, device)},
        "contained": contained,
        "status": "preliminary",
        "category": [_concept(_hl7("v2-0074", "IMG", "Diagnostic Imaging"))],
        "code": _concept(IMAGING_REPORT) | {"text": "Classification of a photo by software"},
        "result": results,
        "conclusion": summary,
    }


def _narrative(summary: str, device: DeviceIdentity) -> str:
    made_by = f"{device.name}, bundle {device.sha256}, edgekd {device.edgekd}, {device.engine}"
    paragraphs = "".join(f"<p>{html.escape(text)}</p>" for text in (summary, made_by))
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{paragraphs}</div>'


def _shared(photo: Photo | None, subject: str | None, when: datetime) -> Json:
    """What report and observations have in common: whom, and when."""
    stamp = when.astimezone(timezone.utc).isoformat(timespec="seconds")
    fields: Json = {"effectiveDateTime": stamp, "issued": stamp}
    if subject is not None:
        fields["subject"] = {"reference": subject}
    elif photo is not None and photo.patient_id:
        fields["subject"] = {"type": "Patient", "identifier": {"value": photo.patient_id}}
    return fields


def _source(photo: Photo) -> Json:
    """A reference to the photo: to its study, or of a plain file to its hash."""
    if photo.study_uid is None:
        identifier = {"system": "urn:edgekd:photo-sha256", "value": photo.sha256}
        return {"type": "Media", "identifier": identifier, "display": "the photo"}
    identifier = {"system": "urn:dicom:uid", "value": f"urn:oid:{photo.study_uid}"}
    return {"type": "ImagingStudy", "identifier": identifier}


def _observations(statement: Statement, book: Codebook) -> Iterator[Json]:
    """The observations, each with what is its own."""
    yield _decision(statement)
    shares = statement.probabilities
    if statement.answer is not None:
        yield {
            "code": _concept(local("class", "Class of the photo")),
            "valueCodeableConcept": _concept(book.of_class(statement.answer)),
            "component": [_probability(book.probability_of(name), shares[name]) for name in shares],
        }
    for name, state in statement.findings.items():
        yield _finding(name, state, shares, book)
    for name, value in statement.values.items():
        yield {"code": _concept(book.of_class(name)), "valueQuantity": {"value": value}}
    if statement.not_excluded:
        concept = _concept(local("not-excluded", "Class that cannot be excluded"))
        classes = [_concept(book.of_class(name)) for name in statement.not_excluded]
        components = [{"code": concept, "valueCodeableConcept": each} for each in classes]
        yield {"code": _concept(local("conformal-set", "Conformal set")), "component": components}


def _decision(statement: Statement) -> Json:
    reason = _concept(local("reason", "Reason not to answer"))
    components = [
        {
            "code": reason,
            "valueCodeableConcept": _concept(local(each.code, each.code)) | {"text": each.text},
        }
        for each in statement.reasons
    ]
    decision = local(statement.decision, DECISIONS[statement.decision])
    return {
        "code": _concept(local("decision", "Decision")),
        "valueCodeableConcept": _concept(decision),
    } | ({"component": components} if components else {})


def _finding(name: str, state: str, shares: Mapping[str, float], book: Codebook) -> Json:
    finding: Json = {
        "code": _concept(book.of_class(name)),
        "valueCodeableConcept": _concept(PRESENCE[state]),
        "interpretation": [
            _concept(_hl7("v3-ObservationInterpretation", _INTERPRETATIONS[state], state.title()))
        ],
    }
    if name in shares:
        finding["component"] = [_probability(book.probability_of(name), shares[name])]
    return finding


def _probability(coding: Coding, share: float) -> Json:
    quantity = {"value": share, "system": _UCUM, "code": "1"}
    return {"code": _concept(coding), "valueQuantity": quantity}


def _device(device: DeviceIdentity) -> Json:
    versions = (
        ("edgekd that ran the bundle", device.edgekd),
        ("edgekd that built the bundle", device.built_by),
        ("engine", device.engine),
    )
    notes = [text for text in (device.intended_use, device.limits, *device.warnings) if text]
    resource: Json = {
        "resourceType": "Device",
        "id": "device",
        "identifier": [{"system": "urn:edgekd:bundle-sha256", "value": device.sha256}],
        "status": "active",
        "deviceName": [{"name": device.name, "type": "model-name"}],
        "type": {"text": "Image classifier (software)"},
        "version": [{"type": {"text": what}, "value": version} for what, version in versions],
        "note": [{"text": text} for text in notes],
    }
    if device.udi is not None:
        resource["udiCarrier"] = [{"carrierHRF": device.udi}]
    if device.manufacturer is not None:
        resource["manufacturer"] = device.manufacturer
    return {name: value for name, value in resource.items() if value != []}


def _hl7(scheme: str, code: str, display: str) -> Coding:
    return Coding(f"{_HL7}/{scheme}", code, display)


def _concept(coding: Coding) -> Json:
    fields = {
        "system": coding.system,
        "version": coding.version,
        "code": coding.code,
        "display": coding.display,
    }
    return {"coding": [{name: text for name, text in fields.items() if text}]}
