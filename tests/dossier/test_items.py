"""The tables of the guidelines: here or open, never both."""

from __future__ import annotations

from typing import Any

from dossier_facts import external, facts_of

from edgekd.dossier.chapters import chapters
from edgekd.dossier.guidelines import guidelines
from edgekd.dossier.questions import all_questions


def table(*arguments: Any) -> list[str]:
    (items,) = [each for each in chapters(facts_of(*arguments)) if each.key == "items"]
    return [line for line in items.lines if line.startswith("|") and "---" not in line]


def test_all_topics_have_a_line() -> None:
    assert len(table()) == sum(len(each.topics) + 1 for each in guidelines())


def test_all_are_here_once_all_is_said() -> None:
    assert any("**open**" in line for line in table())
    answers = dict.fromkeys(all_questions(), ("said",))
    assert not any("**open**" in line for line in table(answers, external()))
    (line,) = [line for line in table(answers) if "external test images" in line]
    assert line.endswith("**open**: an external validation on new images |")


def test_a_question_is_named_by_title_and_key() -> None:
    (line,) = [line for line in table() if "skin colour" in line]
    assert line.endswith(" | 3 | **open**: skin tone (`data.skin_tone`) |")
