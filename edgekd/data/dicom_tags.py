"""Values of DICOM tags as texts, without the pixels.

Source: DICOM PS3.5 (2024), section 6.2 (value representations) and 7.5 (sequences).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekd.errors import InputError

__all__ = ["check_tag", "tags_of"]

_AGE = re.compile(r"(\d{3})([DWMY])")
_PER_YEAR = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}
_HEX = re.compile(r"([0-9a-fA-F]{4}),([0-9a-fA-F]{4})")


def check_tag(tag: str) -> None:
    """Refuse a tag that DICOM does not have.

    Args:
        tag: A keyword, such as `PatientID`; a number, as `0010,0020`; or, in the first item of a
            sequence, `AdmittingDiagnosesCodeSequence.CodeMeaning`.

    Raises:
        InputError: There is no such tag.
        MissingDependencyError: pydicom is not installed.
    """
    for step in tag.split("."):
        _number_of(step)


def tags_of(file: Path, tags: Sequence[str]) -> Mapping[str, str] | None:
    """The values of tags, by the tags as they are written; None for a file without an image.

    Ages become years. A tag that is not there is an empty text, several values are joined by
    semicolons.

    Raises:
        InputError: The file is no DICOM file.
        MissingDependencyError: pydicom is not installed.
    """
    numbers = {tag: [_number_of(step) for step in tag.split(".")] for tag in tags}
    rows = 0x00280010
    header = _header(file, [rows, *(steps[0] for steps in numbers.values())])
    if rows not in header:
        return None
    return {tag: _value(header, steps) for tag, steps in numbers.items()}


def _number_of(step: str) -> int:
    from edgekd.runtime.images.dicom import import_reader

    import_reader()
    from pydicom.datadict import tag_for_keyword

    match = _HEX.fullmatch(step)
    number = int(match[1] + match[2], 16) if match else tag_for_keyword(step)
    if number is None or not step:
        message = f"DICOM has no tag {step!r}"
        raise InputError(message, "give a keyword such as StudyDescription, or 0008,1030")
    return number


def _header(file: Path, numbers: Sequence[int]) -> Any:
    from pydicom import dcmread

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # values that are not as the standard has them
            return dcmread(file, stop_before_pixels=True, specific_tags=list(numbers))
    except Exception:  # its message may quote patient data, so it is dropped
        message = f"{file} cannot be read as a DICOM file"
        raise InputError(message, "remove it, or export it again") from None


def _value(header: Any, steps: Sequence[int]) -> str:
    """The value at a path of tags, each but the last a sequence whose first item counts."""
    place = header
    for step in steps[:-1]:
        items = place[step].value if step in place else []
        if not items or not hasattr(items[0], "walk"):
            return ""
        place = items[0]
    return _text(place[steps[-1]].value) if steps[-1] in place else ""


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) and isinstance(value, Sequence):
        return ";".join(map(_text, value))
    text = str(value).strip()
    age = _AGE.fullmatch(text)
    return f"{int(age[1]) / _PER_YEAR[age[2]]:.4g}" if age else text
