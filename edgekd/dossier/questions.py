"""What no bundle knows and the hospital has to say: the questions of a dossier, and their template.

A question that is not answered is listed in the dossier as open.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from edgekd.data.text import near_name
from edgekd.errors import InputError
from edgekd.recipe.files import parse_yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "Question",
    "QuestionChapter",
    "all_questions",
    "question_chapters",
    "read_answers",
    "template",
]

_FILE = Path(__file__).with_name("questions.toml")


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question.

    Attributes:
        name: Its name within the chapter.
        title: Its heading.
        help: What the answer should say.
        chapter: Key of its chapter.
    """

    name: str
    title: str
    help: str
    chapter: str = ""

    @property
    def key(self) -> str:
        """`chapter.name`, as other files name it."""
        return f"{self.chapter}.{self.name}"


class QuestionChapter(msgspec.Struct, frozen=True, kw_only=True):
    """A chapter of the dossier that has questions, by its key and title."""

    key: str
    title: str
    questions: list[Question]


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    chapter: list[QuestionChapter]


@cache
def question_chapters() -> tuple[QuestionChapter, ...]:
    """All questions, in the order of the chapters."""
    raw = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return tuple(_of_chapter(each) for each in msgspec.convert(raw, _Document).chapter)


def _of_chapter(chapter: QuestionChapter) -> QuestionChapter:
    questions = [msgspec.structs.replace(each, chapter=chapter.key) for each in chapter.questions]
    return msgspec.structs.replace(chapter, questions=questions)


def all_questions() -> dict[str, Question]:
    """All questions by their key."""
    return {each.key: each for chapter in question_chapters() for each in chapter.questions}


_BEFORE = """\
# Answers for `edgekd dossier BUNDLE --fill answers.yaml`: what the bundle cannot know.
# Write a text, or a list of texts, behind the colon. What stays empty is listed as open.
"""


def template() -> str:
    """The file of the answers as YAML, with every question and nothing answered."""
    lines = [_BEFORE]
    for chapter in question_chapters():
        lines.append(f"{chapter.key}: # {chapter.title}")
        lines += [f"  {each.name}: # {each.title}: {each.help}" for each in chapter.questions]
        lines.append("")
    return "\n".join(lines)


def read_answers(file: Path) -> dict[str, tuple[str, ...]]:
    """The answers of a file, each as one or several texts, by the key of its question.

    Raises:
        InputError: The file cannot be read, is not YAML, has a key that is no question, or an
            answer that is no text.
        MissingDependencyError: PyYAML is not installed.
    """
    where = f"the answers {file}"
    try:
        raw = parse_yaml(file.read_bytes(), where)
    except OSError as error:
        message = f"cannot read {where}: {error.strerror}"
        raise InputError(message, "write one with `edgekd dossier --template`") from error
    if raw is None:
        return {}
    answers: dict[str, tuple[str, ...]] = {}
    chapters = [chapter.key for chapter in question_chapters()]
    for chapter, values in _mapping(raw, where).items():
        _check_name(str(chapter), chapters, where)
        for name, value in _mapping(values or {}, f"{chapter} in {where}").items():
            key = f"{chapter}.{name}"
            _check_name(key, list(all_questions()), where)
            if texts := _texts(value, f"{key} in {where}"):
                answers[key] = texts
    return answers


def _mapping(value: Any, where: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        message = f"{where} must be a mapping of names to answers"
        raise InputError(message, "see `edgekd dossier --template`")
    return value


def _check_name(name: str, known: Sequence[str], where: str) -> None:
    if name not in known:
        hint = f"{near_name(name, known)}`edgekd dossier --template` has all questions"
        raise InputError(f"{where} have {name[:80]!r}, which is no question", hint)


def _texts(value: Any, where: str) -> tuple[str, ...]:
    """The answer's texts without blank ones; numbers and dates as YAML reads them."""
    values = value if isinstance(value, list) else [value]
    if any(isinstance(each, list | Mapping) for each in values):
        raise InputError(f"{where} must be a text or a list of texts", "put it in quotes")
    texts = (" ".join(str(each).split()) for each in values if each is not None)
    return tuple(text for text in texts if text)
