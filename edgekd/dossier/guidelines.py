"""What reviewers ask for, by guideline: each topic with the chapter of the dossier it stands in."""

from __future__ import annotations

import sys
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Evidence", "Guideline", "Topic", "guidelines", "open_parts"]

_FILE = Path(__file__).with_name("guidelines.toml")

Evidence = Literal["manifest", "people", "reference", "validation", "subgroups"]
"""What a dossier can have by itself: the manifest; numbers of patients by attribute; how diagnoses
were made; an external validation, and subgroups in it."""


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic of a guideline.

    Attributes:
        name: What it is about; see the guideline's `wording`.
        chapter: Key of the chapter of the dossier.
        part: Section of the guideline, if it has any.
        has: Evidence that the dossier itself needs.
        fill: Questions that the hospital answers.
    """

    name: str
    chapter: str
    part: str = ""
    has: list[Evidence] = []
    fill: list[str] = []


class Guideline(msgspec.Struct, frozen=True, kw_only=True):
    """A guideline, or a law.

    Attributes:
        key: A short name.
        title: Its title.
        source: Who wrote it, where and when.
        wording: Whether the names of topics are its own or edgekd's.
        topics: Its topics.
    """

    key: str
    title: str
    source: str
    wording: str
    topics: list[Topic]


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    guideline: list[Guideline]


@cache
def guidelines() -> tuple[Guideline, ...]:
    """The guidelines that a dossier is held against."""
    raw = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return tuple(msgspec.convert(raw, _Document).guideline)


def open_parts(topic: Topic, evidence: Collection[str], answered: Collection[str]) -> list[str]:
    """What of a topic is missing: keys of questions, and kinds of evidence."""
    lacking = [each for each in topic.has if each not in evidence]
    return [*lacking, *(key for key in topic.fill if key not in answered)]
