"""The glossary of CONTRIBUTING.md holds: names, docstrings and messages of edgekd/ use its terms.

`python tests/test_words.py` counts, per room, what does not.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCES = sorted((REPOSITORY / "edgekd").rglob("*.py"))
GLOSSARY = (
    (REPOSITORY / "CONTRIBUTING.md")
    .read_text(encoding="utf-8")
    .partition("## Glossary\n")[2]
    .partition("\n## ")[0]
)
TABLE, _, RULES = GLOSSARY.partition("\nAs a whole name")
NAMES_ALONE, _, PHRASES = RULES.partition("\nPhrases")

FORBIDDEN_WORDS = frozenset(
    word
    for row in TABLE.splitlines()
    if row.startswith("|")
    for word in re.findall(r"`(\w+)`", row.rstrip("| ").split("|")[-1])
    if row.count("|") == 4 and not row.rstrip().endswith("| |")
)
FORBIDDEN_NAMES = frozenset(re.findall(r"`(\w+)`", NAMES_ALONE))
FORBIDDEN_PHRASES = tuple(re.findall(r"'([^']+)'", PHRASES))

# Names that are right where they stand.
ALLOWED_NAMES: dict[str, str] = {"--rescue": "what scripts may call --quantisation-aware"}
# Sentences that a phrase is right in, by their beginning.
ALLOWED_SENTENCES: dict[str, str] = {}


class Finding(NamedTuple):
    """A forbidden word, and where it stands."""

    place: str
    word: str
    text: str


def words_of(name: str) -> list[str]:
    """The words of a snake_case or CamelCase name, in lower case."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    return [part.lower() for part in parts]


def names_of(node: ast.AST) -> Iterator[str]:
    """The names that a function or class brings in: its own, of its parameters, of its fields."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        yield from (a.arg for a in [*every, arguments.vararg, arguments.kwarg] if a is not None)
    elif isinstance(node, ast.ClassDef):
        yield node.name
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                yield statement.target.id
    elif isinstance(node, ast.Constant) and is_flag(node.value):
        yield str(node.value)


def is_flag(value: object) -> bool:
    """Whether a constant is a command's option, such as `--out`."""
    return isinstance(value, str) and re.fullmatch(r"--[a-z][a-z-]+", value) is not None


def is_sentence(value: object) -> bool:
    """Whether a constant is prose: text with a space or a full stop."""
    return isinstance(value, str) and (" " in value or value.endswith("."))


def forbidden_in_name(name: str) -> str | None:
    """The first forbidden word of a name."""
    if name in ALLOWED_NAMES:
        return None
    if name.strip("_") in FORBIDDEN_NAMES:
        return name.strip("_")
    return next((word for word in words_of(name) if word in FORBIDDEN_WORDS), None)


def forbidden_in_text(text: str) -> str | None:
    """The first forbidden phrase of a docstring or message, at the edges of words."""
    if any(text.startswith(beginning) for beginning in ALLOWED_SENTENCES):
        return None
    flat = " ".join(text.split()).lower()
    return next(
        (p for p in FORBIDDEN_PHRASES if re.search(rf"\b{re.escape(p.strip().lower())}\b", flat)),
        None,
    )


def wrong_names(source: str, file: str) -> list[Finding]:
    """The forbidden words in names of one module, with the lines they stand in."""
    return [
        Finding(f"{file}:{getattr(node, 'lineno', 1)}", word, name)
        for node in ast.walk(ast.parse(source))
        for name in names_of(node)
        if (word := forbidden_in_name(name))
    ]


def wrong_variables(source: str, file: str) -> list[Finding]:
    """Variables whose whole name is a forbidden word."""
    return [
        Finding(f"{file}:{node.lineno}", node.id, f"variable {node.id}")
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        if node.id in FORBIDDEN_WORDS
    ]


def wrong_sentences(source: str, file: str) -> list[Finding]:
    """The forbidden phrases in the sentences of one module."""
    return [
        Finding(f"{file}:{node.lineno}", phrase, " ".join(node.value.split())[:80])
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and is_sentence(node.value)
        if (phrase := forbidden_in_text(node.value))
    ]


def in_all_sources(look: Callable[[str, str], list[Finding]]) -> list[Finding]:
    return [
        finding
        for file in SOURCES
        for finding in look(file.read_text(encoding="utf-8"), str(file.relative_to(REPOSITORY)))
    ]


CHECKS = (wrong_names, wrong_variables, wrong_sentences)


def test_the_glossary_is_read() -> None:
    assert {"told", "harm", "guide", "judged"} <= FORBIDDEN_WORDS
    assert not {"teacher", "split", "found_images"} & FORBIDDEN_WORDS
    assert {"own", "one"} <= FORBIDDEN_NAMES
    assert {"likewise", "befalls"} <= set(FORBIDDEN_PHRASES)
    assert len(SOURCES) > 250


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("def as_told(): ...", "told"),
        ("class LayerHarm: ...", "harm"),
        ("def compare(guide): ...", "guide"),
        ("def compare(*, guide): ...", "guide"),
        ("class Row:\n    judged: bool", "judged"),
        ("option('--layer-harm')", "harm"),
        ("def register(own): ...", "own"),
    ],
)
def test_a_planted_word_is_noticed(source: str, word: str) -> None:
    assert [finding.word for finding in wrong_names(source, "planted.py")] == [word]


def test_a_planted_variable_is_noticed() -> None:
    planted = "def f():\n    found = 1\n    for told in (): ..."
    assert [finding.word for finding in wrong_variables(planted, "planted.py")] == ["found", "told"]


@pytest.mark.parametrize("name", ["own_stages", "retold", "harmonic", "OneCycle", "teacher"])
def test_a_word_within_another_is_none(name: str) -> None:
    assert forbidden_in_name(name) is None


@pytest.mark.parametrize(
    "source",
    ['def f():\n    """Likewise."""', 'raise E("the user is\\n told")', 'f"who reads {x} twice"'],
)
def test_a_planted_phrase_is_noticed(source: str) -> None:
    assert len(wrong_sentences(source, "planted.py")) == 1


@pytest.mark.parametrize("check", CHECKS)
def test_edgekd_uses_the_terms_of_the_glossary(check: Callable[[str, str], list[Finding]]) -> None:
    assert in_all_sources(check) == []


def test_what_is_allowed_is_still_there() -> None:
    text = "\n".join(file.read_text(encoding="utf-8") for file in SOURCES)
    for allowed in (*ALLOWED_NAMES, *ALLOWED_SENTENCES):
        assert allowed in text, f"{allowed!r} needs no exception any more"


if __name__ == "__main__":
    findings = [f for look in CHECKS for f in in_all_sources(look)]
    rooms = Counter("/".join(finding.place.split(":")[0].split("/")[:3]) for finding in findings)
    for room, count in sorted(rooms.items()):
        print(f"{count:5} {room}")
    for finding in sorted(findings):
        print(*finding, sep="\t")
