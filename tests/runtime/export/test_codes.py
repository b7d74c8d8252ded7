from __future__ import annotations

from pathlib import Path

import pytest

from edgekd.errors import InputError
from edgekd.runtime.export import Coding, read_codes
from edgekd.runtime.export.codes import IMAGING_REPORT, PHOTOGRAPHY, PRESENCE, Codebook

CLASSES = ("mel", "nv")
SNOMED = '{"mel": {"system": "http://snomed.info/sct", "code": "93655004", "display": "Melanoma"}}'


def test_a_code_of_a_terminology_replaces_that_of_the_bundle() -> None:
    book = Codebook("ab" * 32, {"mel": Coding("http://snomed.info/sct", "93655004", "Melanoma")})
    assert (book.of_class("mel").designator, book.of_class("mel").code) == ("SCT", "93655004")
    other = book.of_class("a  b")
    assert (other.system, other.code) == (f"urn:edgekd:bundle:{'ab' * 32}", "a b")
    assert (other.designator, other.display, other.version) == ("99EDGEKD", "a  b", "ab" * 8)
    assert book.probability_of("mel").code == "probability:mel"


def test_codes_of_standards_are_those_of_dicom() -> None:
    """pydicom has the codes of PS3.16."""
    codes = pytest.importorskip("pydicom.sr.codedict").codes
    for coding, known in (
        (PHOTOGRAPHY, codes.SCT.PhotographyOfPatient),
        (IMAGING_REPORT, codes.LN.DiagnosticImagingReport),
        (PRESENCE["present"], codes.cid240.Present),
        (PRESENCE["absent"], codes.cid240.Absent),
        (PRESENCE["unsure"], codes.cid240.Undetermined),
    ):
        assert (coding.code, coding.designator) == (known.value, known.scheme_designator)


def test_codes_are_read(tmp_path: Path) -> None:
    (tmp_path / "codes.json").write_text(SNOMED)
    codes = read_codes(tmp_path / "codes.json", CLASSES)
    assert codes == {"mel": Coding("http://snomed.info/sct", "93655004", "Melanoma")}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot read the codes"),
        ('{"mel": "93655004"}', "cannot read the codes"),
        (SNOMED.replace("mel", "bcc", 1), "'bcc', which is no class"),
        (SNOMED.replace("snomed.info/sct", "codes.example"), "unknown system"),
        (SNOMED.replace("93655004", ""), "or empty"),
    ],
)
def test_codes_that_cannot_be_used(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "codes.json").write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_codes(tmp_path / "codes.json", CLASSES)
    assert caught.value.hint
