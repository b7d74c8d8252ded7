"""The exports of `edgekd predict`: FHIR and DICOM for the decision on one photo."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekd.cli.places import STDOUT
from edgekd.errors import InputError
from edgekd.files import write_atomically

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from edgekd.runtime import Classifier, Prediction
    from edgekd.runtime.export import Coding, DeviceIdentity, Photo

__all__ = ["Exporter", "Exports"]

_WHOLE = 1 << 20
"""No picture has sides of so many pixels: it is decoded at its own size."""


@dataclass(frozen=True)
class Exports:
    """What to write about the decision.

    Attributes:
        fhir: Place of the FHIR report, or None.
        dicom_sr: Place of the DICOM report, or None.
        dicom_sc: Place of the secondary capture, or None.
        picture: The picture that it holds.
        codes: File with codes of a terminology for classes, or None.
        patient: Number of the patient, or empty.
        udi: Unique device identifier, or None.
    """

    fhir: Path | None = None
    dicom_sr: Path | None = None
    dicom_sc: Path | None = None
    picture: Path | None = None
    codes: Path | None = None
    patient: str = ""
    udi: str | None = None

    @property
    def requested(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.fhir or self.dicom_sr or self.dicom_sc)

    @property
    def to_stdout(self) -> bool:
        """Whether one of them is written to stdout, which then holds nothing else."""
        return STDOUT in (self.fhir, self.dicom_sr, self.dicom_sc)

    def check(self, images: list[Path]) -> None:
        """Refuse what cannot be exported, before the engine starts.

        Raises:
            InputError: There is not exactly one photo, or options contradict each other.
            MissingDependencyError: A library is not installed.
        """
        if (self.dicom_sc is None) != (self.picture is None):
            message = "--dicom-sc and --picture go together"
            raise InputError(message, "give the picture that the secondary capture holds, or none")
        if not self.requested:
            if self.codes or self.patient or self.udi:
                message = "--codes, --patient and --udi are for exports"
                raise InputError(message, "leave them out, or give --fhir or --dicom-sr")
            return
        if len(images) != 1:
            message = "an export is of one photo"
            raise InputError(message, "give one photo, and run the command for each")
        self._require_libraries()

    def prepared(self, classifier: Classifier) -> Exporter | None:
        """What writes them, with codes and picture read; None where there is nothing to write.

        Raises:
            InputError: The codes or the picture cannot be used.
        """
        if not self.requested:
            return None
        from edgekd.runtime.export import DeviceIdentity, read_codes

        return Exporter(
            self,
            DeviceIdentity.of(classifier, udi=self.udi),
            read_codes(self.codes, classifier.classes) if self.codes else {},
            None if self.picture is None else _rgb(self.picture),
        )

    def _require_libraries(self) -> None:
        from edgekd.runtime.export.equipment import require_highdicom
        from edgekd.runtime.export.fhir import require_fhir

        if self.fhir is not None:
            require_fhir()
        if self.dicom_sr is not None or self.dicom_sc is not None:
            require_highdicom()


@dataclass(frozen=True)
class Exporter:
    """Writes the exports of a prediction.

    Attributes:
        exports: Which, and where.
        device: What made the prediction.
        codes: Codes of a terminology by class.
        picture: RGB uint8 [H, W, 3], for the secondary capture.
    """

    exports: Exports
    device: DeviceIdentity
    codes: Mapping[str, Coding]
    picture: NDArray[np.uint8] | None

    def write(self, prediction: Prediction, image: Path) -> None:
        """Write every export, once all of them are made.

        Raises:
            InputError: The photo cannot be referred to, or is of another patient.
        """
        from edgekd.runtime.export import Photo

        photo = Photo.read(image, patient_id=self.exports.patient)
        for path, content in list(self._contents(prediction, photo)):
            write_atomically(path, content)

    def _contents(self, prediction: Prediction, photo: Photo) -> Iterator[tuple[Path, bytes]]:
        from edgekd.runtime import export

        places, device, codes = self.exports, self.device, self.codes
        if places.fhir is not None:
            report = export.to_fhir(prediction, device, photo, codes=codes)
            yield places.fhir, report.model_dump_json(indent=2).encode() + b"\n"
        study = export.new_study(photo) if places.dicom_sr or places.dicom_sc else None
        if places.dicom_sr is not None:
            document = export.to_dicom_sr(prediction, device, photo, codes=codes, study=study)
            yield places.dicom_sr, _file(document)
        if places.dicom_sc is not None and self.picture is not None:
            capture = export.to_secondary_capture(self.picture, device, photo, study=study)
            yield places.dicom_sc, _file(capture)


def _file(dataset: Dataset) -> bytes:
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _rgb(picture: Path) -> NDArray[np.uint8]:
    from edgekd.runtime.images.sources import read_source
    from edgekd.runtime.preprocess import decode_image

    data, name = read_source(picture)
    return decode_image(data, _WHOLE, name=name)
