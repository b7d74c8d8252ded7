"""Labels as texts: the findings that are present, as `a;b`."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["NONE", "SEPARATOR", "label_text"]

SEPARATOR = ";"

NONE = "none"
"""The label of an image without any finding; a blank label is a missing one."""


def label_text(findings: Iterable[str]) -> str:
    """The label of an image that has these findings."""
    return SEPARATOR.join(findings) or NONE
