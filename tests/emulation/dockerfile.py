"""As much of a Dockerfile as edgekd's own need: its stages, their instructions, their variables."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Instruction", "Stage", "expand", "read_dockerfile", "sections"]

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True)
class Instruction:
    """One instruction, such as `RUN` and its command; lines that go on are joined."""

    keyword: str
    text: str

    @property
    def words(self) -> list[str]:
        """Its arguments, those of the JSON form too."""
        if self.text.startswith("["):
            return [str(word) for word in json.loads(self.text)]
        return shlex.split(self.text)


@dataclass
class Stage:
    """A `FROM` and what follows; `name` is empty where it has none."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def all_of(self, keyword: str) -> list[Instruction]:
        """Its instructions of a kind."""
        return [one for one in self.instructions if one.keyword == keyword]


def read_dockerfile(file: Path) -> tuple[dict[str, str], list[Stage]]:
    """The arguments before the first stage with their defaults, and the stages."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for one in _instructions(file.read_text()):
        if one.keyword == "FROM":
            base, _, name = one.text.partition(" AS ")
            stages.append(Stage(base, name))
        elif stages:
            stages[-1].instructions.append(one)
        else:
            arguments |= sections(one)
    return arguments, stages


def sections(one: Instruction) -> dict[str, str]:
    """The names and values of an `ARG`, `ENV` or `LABEL`; an `ARG` without a default has none."""
    pairs = (word.partition("=") for word in one.words)
    return {name: value for name, equals, value in pairs if equals}


def expand(text: str, variables: dict[str, str]) -> str:
    """Put variables into a text; unknown ones are empty, as in Docker."""
    return _VARIABLE.sub(lambda found: variables.get(found[1] or found[2], ""), text)


def _instructions(text: str) -> list[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in joined]
