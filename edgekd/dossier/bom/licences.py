"""Licences of packages and data as CycloneDX has them: SPDX where they can be recognised."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclonedx.model.license import License

__all__ = ["licence_of", "licence_of_package"]

_SPDX = {
    "MIT License": "MIT",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "BSD 3-Clause": "BSD-3-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
}
"""Names that packages write for licences of SPDX, where they leave no doubt."""
_LONGEST = 120
"""Letters of a licence's name; some packages put the whole text into that field."""


def licence_of(text: str) -> License | None:
    """The licence of a name such as `CC BY-NC 4.0` or `Apache-2.0 OR MIT`; None for none."""
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.spdx import is_supported_id

    name = " ".join(text.split())
    if not name or name == "unknown":
        return None
    name = _SPDX.get(name, name)
    dashed = name.replace(" ", "-")
    if is_supported_id(dashed):
        name = dashed
    licence: License = LicenseFactory().make_from_string(name[:_LONGEST])
    return licence


def licence_of_package(name: str, version: str) -> License | None:
    """The licence of a package that is installed here in this version; else None."""
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    if distribution.version != version:
        return None
    fields = distribution.metadata
    (expression, *_) = fields.get_all("License-Expression") or [""]
    (text, *_) = fields.get_all("License") or [""]
    classifiers = fields.get_all("Classifier") or []
    return licence_of(expression or _single_line(text) or _by_classifier(classifiers))


def _single_line(text: str) -> str:
    """A licence's name; a text of several lines is the licence itself, which has no name."""
    lines = text.strip().splitlines()
    return lines[0] if len(lines) == 1 else ""


def _by_classifier(classifiers: list[str]) -> str:
    names = [each for each in classifiers if each.startswith("License :: OSI Approved :: ")]
    return names[0].rpartition(" :: ")[2] if len(names) == 1 else ""
