"""The questions of a dossier: a template that can be read, answers that are checked."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from edgekd.dossier.questions import all_questions, question_chapters, read_answers, template
from edgekd.errors import InputError


def answers(folder: Path, text: str) -> Path:
    file = folder / "answers.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_template_has_every_question_and_answers_none(tmp_path: Path) -> None:
    raw = yaml.safe_load(template())
    keys = [f"{chapter}.{name}" for chapter, values in raw.items() for name in values]
    assert keys == list(all_questions())
    assert all(value is None for values in raw.values() for value in values.values())
    assert read_answers(answers(tmp_path, template())) == {}


def test_the_hospital_is_asked_for_what_reviewers_want() -> None:
    keys = set(all_questions())
    assert {"use.purpose", "use.patients", "reference.method", "device.name"} <= keys
    assert {"data.inclusion", "data.exclusion", "contact.person"} <= keys
    assert len({chapter.key for chapter in question_chapters()}) == len(question_chapters())


def test_answers_are_texts_or_lists_of_them(tmp_path: Path) -> None:
    lines = ("use:", "  purpose: '  to   refer '", "  users: [nurses, ' ', doctors]")
    text = "\n".join((*lines, "contact: {date: 2026-05-01}"))
    assert read_answers(answers(tmp_path, text)) == {
        "use.purpose": ("to refer",),
        "use.users": ("nurses", "doctors"),
        "contact.date": ("2026-05-01",),
    }
    assert read_answers(answers(tmp_path, "use: {purpose: ''}\ndata:\n")) == {}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("usage: {purpose: x}", "'usage'", "did you mean 'use'?"),
        ("use: {purpos: x}", "'use.purpos'", "did you mean 'use.purpose'?"),
        ("use: {purpose: {a: b}}", "must be a text", "quotes"),
        ("use: refer", "must be a mapping", "--template"),
        ("- a", "must be a mapping", "--template"),
        ("use: {", "is not YAML", "correct"),
    ],
)
def test_what_is_no_answer(tmp_path: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        read_answers(answers(tmp_path, text))
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_answers(tmp_path / "none.yaml")
