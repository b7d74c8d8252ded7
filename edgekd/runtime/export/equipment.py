"""What a DICOM object says of the software that made it, and whom it is of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgekd.errors import MissingDependencyError
from edgekd.runtime.export.codes import DESIGNATORS, LOCAL, Coding
from edgekd.runtime.export.identity import DeviceIdentity
from edgekd.runtime.telemetry import without_requests

if TYPE_CHECKING:
    import highdicom.sr
    from pydicom.dataset import Dataset

__all__ = ["concept", "equipment_of", "mark_device", "require_highdicom"]

_LONGEST_MEANING = 64
_LONGEST_NAME = 64
UTF8 = "ISO_IR 192"


def require_highdicom() -> None:
    """Raise where highdicom is not installed."""
    try:
        with without_requests():
            import highdicom  # noqa: F401
    except ImportError:
        purpose = "write DICOM objects"
        raise MissingDependencyError("highdicom", "clinical", purpose) from None


def concept(coding: Coding) -> highdicom.sr.CodedConcept:
    """The code as DICOM writes it: its meaning has 64 letters at most (PS3.3, table 8.8-1).

    A backslash, which separates values in DICOM, becomes a slash.
    """
    from highdicom.sr import CodedConcept

    code, meaning = (text.replace("\\", "/") for text in (coding.code, coding.display))
    version = coding.version or None
    return CodedConcept(code, coding.designator, meaning[:_LONGEST_MEANING], version)


def equipment_of(device: DeviceIdentity) -> dict[str, Any]:
    """Arguments of highdicom's objects: the equipment, its versions and the local codes.

    The serial number is the bundle's hash: 64 letters, as many as DICOM allows.
    """
    from highdicom.coding_schemes import CodingSchemeIdentificationItem

    return {
        "manufacturer": device.manufacturer or "edgekd",
        "manufacturer_model_name": device.name[:_LONGEST_NAME],
        "device_serial_number": device.sha256,
        "software_versions": f"edgekd {device.edgekd}",
        "specific_character_set": UTF8,
        "coding_schemes": [
            CodingSchemeIdentificationItem(DESIGNATORS[LOCAL], name="Codes of edgekd's bundles")
        ],
    }


def mark_device(dataset: Dataset, device: DeviceIdentity) -> None:
    """Add the unique device identifier, if the device has one (PS3.3, C.7.5.1)."""
    from pydicom.dataset import Dataset

    if device.udi is None:
        return
    item = Dataset()
    item.UniqueDeviceIdentifier = device.udi
    dataset.UDISequence = [item]
