"""A prediction as the records that hospitals keep: FHIR and DICOM.

`to_fhir` needs fhir.resources, the others highdicom (`pip install 'edgekd[clinical]'`); nothing of
them is imported before a function is called.

Example:
    photo = Photo.read("photo.dcm")
    device = DeviceIdentity.of(classifier)
    report = to_fhir(classifier.predict("photo.dcm"), device, photo)
    Path("report.json").write_text(report.model_dump_json(indent=2))
"""

from edgekd.runtime.export.codes import Coding, read_codes
from edgekd.runtime.export.dicom_sr import to_dicom_sr
from edgekd.runtime.export.fhir import to_fhir
from edgekd.runtime.export.identity import DeviceIdentity
from edgekd.runtime.export.photo import Photo, new_study
from edgekd.runtime.export.secondary_capture import to_secondary_capture

__all__ = [
    "Coding",
    "DeviceIdentity",
    "Photo",
    "new_study",
    "read_codes",
    "to_dicom_sr",
    "to_fhir",
    "to_secondary_capture",
]
