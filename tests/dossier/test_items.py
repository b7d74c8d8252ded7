"""The tables of the guidelines: here or open, never both."""

from __future__ import annotations

from dossier_facts import external, facts_of

from edgekd.dossier.chapters import chapters
from edgekd.dossier.guidelines import guidelines
from edgekd.dossier.questions import all_questions


def table(*arguments: object) -> list[str]:
    (items,) = [each for each in chapters(facts_of(*arguments)) if each.key == "items"]  # type: ignore[arg-type]
    return [line for line in items.lines if line.startswith("|") and "---" not in line]


def test_all_topics_have_a_line() -> None:
    assert len(table()) == sum(len(each.topics) + 1 for each in guidelines())


def test_all_are_here_once_all_is_said() -> None:
    assert any("**open**" in line for line in table())
    answers = {key: ("said",) for key in all_questions()}
    assert not any("**open**" in line for line in table(answers, external()))
    (line,) = [line for line in table(answers) if "external test images" in line]
    assert line.endswith("**open**: an external validation on new images |")


def test_a_question_is_named_by_title_and_key() -> None:
    (line,) = [line for line in table() if "skin colour" in line]
    assert (
        line
        == "| Data | skin colour and how it was assessed | 3 | **open**: skin tone (`data.skin_tone`) |"
    )  # noqa: E501
