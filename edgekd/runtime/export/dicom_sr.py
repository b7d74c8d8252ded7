"""A prediction as a DICOM structured report: Comprehensive SR by template 1500, one group.

The group has the decision, the answer as finding, probabilities as measurements, classes that
cannot be excluded, and reasons as text. The report is preliminary and unverified.

Sources: DICOM PS3.16, TID 1500, 1501 and 4019; PS3.3, A.35.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from edgekd.runtime.export.codes import (
    DECISIONS,
    PHOTOGRAPHY,
    PRESENCE,
    Codebook,
    Coding,
    local,
)
from edgekd.runtime.export.equipment import (
    concept,
    equipment_of,
    mark_device,
    require_highdicom,
)
from edgekd.runtime.export.identity import DeviceIdentity
from edgekd.runtime.export.photo import Photo, context_of, guarded, new_uid
from edgekd.runtime.export.statement import Statement, statement_of
from edgekd.runtime.prediction import Prediction

if TYPE_CHECKING:
    from highdicom import sr
    from pydicom.dataset import Dataset

__all__ = ["to_dicom_sr"]

_SERIES_NUMBER = 9001
"""A number of its own beside the study's series; series are distinguished by their UID."""


def to_dicom_sr(
    prediction: Prediction,
    device: DeviceIdentity,
    photo: Photo | None = None,
    *,
    codes: Mapping[str, Coding] | None = None,
    study: Dataset | None = None,
) -> sr.ComprehensiveSR:
    """The prediction as a structured report; `report.save_as(path)` writes it.

    Patient and study are those of the photo, which is referenced, where it is DICOM. Otherwise
    the report is of a study of its own and has the photo's hash.

    Args:
        prediction: The prediction. Its answer is stated only where the decision is `answer`.
        device: What made it.
        photo: Its photo.
        codes: Codes of a terminology for classes, by name; the others get local ones.
        study: Patient and study for a photo that is no DICOM file, as `new_study` makes it, so
            that several objects are of the same study.

    Raises:
        ImageError: The photo's header has values that DICOM does not allow there.
        MissingDependencyError: highdicom is not installed.
    """
    require_highdicom()
    from highdicom import sr

    photo = photo or Photo("")
    with guarded(photo):
        context = context_of(photo, study)
        content = sr.MeasurementReport(
            observation_context=_observer(device),
            procedure_reported=concept(PHOTOGRAPHY),
            imaging_measurements=[_group(statement_of(prediction), device, photo, codes or {})],
        )
        report = sr.ComprehensiveSR(
            evidence=[context],
            content=content,
            series_instance_uid=new_uid(),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=new_uid(),
            instance_number=1,
            is_complete=True,
            series_description="Classification of a photo by software",
            **equipment_of(device),
        )
        if photo.header is None:  # there is no object that could be referenced
            del report.CurrentRequestedProcedureEvidenceSequence
        mark_device(report, device)
    return report


def _observer(device: DeviceIdentity) -> sr.ObservationContext:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    attributes = sr.DeviceObserverIdentifyingAttributes(
        uid=device.uid,
        name=device.name,
        manufacturer_name=device.manufacturer,
        model_name=device.name,
        serial_number=device.sha256,
    )
    observer = sr.ObserverContext(codes.DCM.Device, attributes)
    return sr.ObservationContext(observer_device_context=observer)


def _group(
    statement: Statement, device: DeviceIdentity, photo: Photo, codes: Mapping[str, Coding]
) -> sr.MeasurementsAndQualitativeEvaluations:
    from highdicom import sr

    book = Codebook(device.sha256, codes)
    answer = statement.answer
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(new_uid(), "photo"),
        finding_type=None if answer is None else concept(book.of_class(answer)),
        algorithm_id=_algorithm(device),
        measurements=list(_measurements(statement, book)),
        qualitative_evaluations=list(_evaluations(statement, book)),
        source_images=_referenced(photo),
    )
    group[0].ContentSequence.extend(_texts(statement, device, photo))
    return group


def _referenced(photo: Photo) -> list[sr.SourceImageForMeasurementGroup] | None:
    from highdicom import sr

    if photo.header is None:
        return None
    return [sr.SourceImageForMeasurementGroup.from_source_image(photo.header)]


def _algorithm(device: DeviceIdentity) -> sr.AlgorithmIdentification:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    parameters = (
        f"bundle sha256 {device.sha256}",
        f"built by edgekd {device.built_by}",
        f"engine {device.engine}",
    )
    return sr.AlgorithmIdentification(
        name=device.name,
        version=f"edgekd {device.edgekd}",
        parameters=parameters,
        family=codes.DCM.ArtificialIntelligence,
    )


def _measurements(statement: Statement, book: Codebook) -> Iterator[sr.Measurement]:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    for name, share in statement.probabilities.items():
        yield sr.Measurement(concept(book.probability_of(name)), share, codes.UCUM.NoUnits)
    for name, value in statement.values.items():
        yield sr.Measurement(concept(book.of_class(name)), value, codes.UCUM.NoUnits)


def _evaluations(statement: Statement, book: Codebook) -> Iterator[sr.QualitativeEvaluation]:
    from highdicom import sr

    decision = local(statement.decision, DECISIONS[statement.decision])
    yield sr.QualitativeEvaluation(concept(local("decision", "Decision")), concept(decision))
    reason = concept(local("reason", "Reason not to answer"))
    for each in statement.reasons:
        yield sr.QualitativeEvaluation(reason, concept(local(each.code, each.code)))
    for name, state in statement.findings.items():
        yield sr.QualitativeEvaluation(concept(book.of_class(name)), concept(PRESENCE[state]))
    remaining = concept(local("not-excluded", "Class that cannot be excluded"))
    for name in statement.not_excluded:
        yield sr.QualitativeEvaluation(remaining, concept(book.of_class(name)))


def _texts(statement: Statement, device: DeviceIdentity, photo: Photo) -> Iterator[Any]:
    """Text items of the group: reasons with their numbers, what must be shown, the photo's hash."""
    from highdicom import sr

    def item(coding: Coding, text: str) -> sr.TextContentItem:
        return sr.TextContentItem(concept(coding), text, sr.RelationshipTypeValues.CONTAINS)

    yield from (item(local("reason", "Reason not to answer"), r.text) for r in statement.reasons)
    yield from (item(local("warning", "Warning"), text) for text in device.warnings)
    if device.intended_use:
        yield item(local("intended-use", "Intended use"), device.intended_use)
    if photo.header is None and photo.sha256:
        yield item(local("photo-sha256", "SHA-256 of the photo"), photo.sha256)
