"""Codes of what a report states: those of standards where they are certain, else local ones.

Decisions and reasons are edgekd's own. Classes are the bundle's, since the same name may mean
another thing in another data set; a hospital replaces them by codes of its terminology.

Sources: DICOM PS3.16, CID 240 (presence), CID 8131 (photography of a patient), CID 7000 (LOINC's
code of an imaging report), table 8-1 (designators and their URIs in FHIR).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edgekd.errors import InputError

__all__ = [
    "DECISIONS",
    "IMAGING_REPORT",
    "LOCAL",
    "PHOTOGRAPHY",
    "PRESENCE",
    "Codebook",
    "Coding",
    "read_codes",
]

LOCAL = "urn:edgekd:vocabulary"
_BUNDLES = "urn:edgekd:bundle"
_SNOMED, _LOINC = "http://snomed.info/sct", "http://loinc.org"
DESIGNATORS = {
    _SNOMED: "SCT",
    _LOINC: "LN",
    "http://dicom.nema.org/resources/ontology/DCM": "DCM",
    "http://hl7.org/fhir/sid/icd-10": "I10",
    LOCAL: "99EDGEKD",
}
"""DICOM's designator by FHIR's URI of a coding scheme."""
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Coding:
    """A code of a coding scheme.

    Attributes:
        system: URI of the scheme, as FHIR names it.
        code: The code.
        display: Its meaning, for people.
        version: Version of the scheme, or empty.
    """

    system: str
    code: str
    display: str
    version: str = ""

    @property
    def designator(self) -> str:
        """DICOM's designator of the scheme; local ones begin with 99 (PS3.3, 8.2)."""
        return DESIGNATORS.get(self.system, DESIGNATORS[LOCAL])


PHOTOGRAPHY = Coding(_SNOMED, "197157006", "Photography of patient")
IMAGING_REPORT = Coding(_LOINC, "18748-4", "Diagnostic imaging study")
PRESENCE = {
    "present": Coding(_SNOMED, "52101004", "Present"),
    "absent": Coding(_SNOMED, "272519000", "Absent"),
    "unsure": Coding(_SNOMED, "373068000", "Undetermined"),
}
DECISIONS = {
    "answer": "Answer",
    "refer": "Refer the patient",
    "retake": "Take another photo",
}


@dataclass(frozen=True)
class Codebook:
    """The codes of one bundle's reports.

    Attributes:
        sha256: Hash of the bundle, which is the version of its local codes.
        standard: Codes that a hospital gave its classes, by their names.
    """

    sha256: str
    standard: Mapping[str, Coding]

    def of_class(self, name: str) -> Coding:
        """The code of a class, a finding or a value."""
        local = Coding(f"{_BUNDLES}:{self.sha256}", one_spaced(name), name, self.sha256[:16])
        return self.standard.get(name, local)

    def probability_of(self, name: str) -> Coding:
        """The code of a class's probability, by which it is measured."""
        code = f"probability:{one_spaced(name)}"
        system = f"{_BUNDLES}:{self.sha256}"
        return Coding(system, code, f"Probability of {name}", self.sha256[:16])


def local(code: str, display: str) -> Coding:
    """A code of edgekd's own."""
    return Coding(LOCAL, one_spaced(code), display)


def one_spaced(text: str) -> str:
    """The text as FHIR allows in codes: single spaces, none at the ends."""
    return " ".join(text.split())


def read_codes(path: Path, classes: tuple[str, ...]) -> dict[str, Coding]:
    """Codes by class of a JSON file: `{"mel": {"system": …, "code": …, "display": …}}`.

    Args:
        path: The file.
        classes: Classes of the bundle; it may leave some out, and name no others.

    Raises:
        InputError: It cannot be read, is not of that form, or names another class or a coding
            scheme that DICOM has no designator for.
    """
    hint = 'write {"CLASS": {"system": "http://snomed.info/sct", "code": "…", "display": "…"}}'
    try:
        with path.open("rb") as stream:
            codes = msgspec.json.decode(stream.read(_MOST_BYTES), type=dict[str, Coding])
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"cannot read the codes {path}: {why}", hint) from error
    for name, coding in codes.items():
        if name not in classes:
            message = f"{path} has a code for {name!r}, which is no class of the bundle"
            raise InputError(message, f"its classes are {', '.join(classes)}")
        if coding.system not in DESIGNATORS or not coding.code or not coding.display:
            message = f"the code of {name!r} in {path} is of an unknown system, or empty"
            raise InputError(message, f"system is one of {', '.join(list(DESIGNATORS)[:-1])}")
    return codes
