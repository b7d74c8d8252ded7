"""Write docs/reference/: the recipe's keys of their types, the command line of its commands.

.venv/bin/python .ci/reference.py            # writes; `make docs` does it first
.venv/bin/python .ci/reference.py --check    # exit 1 where a page is not what would be written
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import click
import msgspec
import typer

from edgekd import recipe as sections
from edgekd.cli import app
from edgekd.distill.synthesis.inversion import InversionSettings
from edgekd.extensions.methods import METHODS
from edgekd.extensions.sources import SOURCES
from edgekd.models.mobile import MobileOptions, StageOptions
from edgekd.tune.supernet.choices import ArchitectureChoices, StageChoices
from edgekd.tune.supernet.evolution import EvolutionSettings
from edgekd.tune.supernet.plan import SupernetPlan
from edgekd.tune.supernet.training import SupernetSettings

PAGES = Path(__file__).resolve().parent.parent / "docs" / "reference"
SECTIONS = ("Recipe", "SplitSection", "AugmentSection", "TeacherSection", "CacheSection",
            "RoleSection", "ModelSection", "FitSection", "LossSection", "OptimiserSection",
            "FinishSection", "TrainerSection", "CheckpointSection")  # fmt: skip
PLACES = {
    "Recipe": "The recipe", "SplitSection": "`split`", "AugmentSection": "`augment`",
    "TeacherSection": "`teacher`", "CacheSection": "`teacher.cache`",
    "RoleSection": "`student`, and each of `teachers`", "ModelSection": "`model` of a role",
    "FitSection": "`fit` of a role", "LossSection": "`fit.loss`",
    "OptimiserSection": "The optimiser, in `fit` and of a method's stages",
    "FinishSection": "`finish`", "TrainerSection": "`trainer`",
    "CheckpointSection": "`trainer.checkpoint`",
}  # fmt: skip
SEARCH: dict[str, type[msgspec.Struct]] = {
    "The file": SupernetPlan, "`space`": ArchitectureChoices,
    "Each of `space.stages`": StageChoices,
    "`synthesis`": InversionSettings, "`supernet`": SupernetSettings,
    "`evolution`": EvolutionSettings, "`model.options` of `edgekd:mobile`": MobileOptions,
    "Each of its `stages`": StageOptions,
}  # fmt: skip
TYPES = {str: "text", int: "integer", float: "number", bool: "true or false", dict: "keys",
         type(None): "null", Any: "any"}  # fmt: skip


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them."""
    pages = {"recipe.md": recipe_page(), "search.md": search_page(), "commands.md": commands_page()}
    if "--check" in arguments:
        stale = [name for name, text in pages.items() if _text(PAGES / name) != text]
        for name in stale:
            print(f"docs/reference/{name} is not current: run .venv/bin/python .ci/reference.py")
        return int(bool(stale))
    for name, text in pages.items():
        (PAGES / name).write_text(text, encoding="utf-8")
    return 0


def recipe_page() -> str:
    """Every key of a recipe, of the sources of data, and of the methods."""
    lines = [
        "# Recipe keys", "",
        "A recipe is a YAML file of these keys; `--set a.b=c` replaces one on the command line. An",
        "unknown key is refused with its nearest neighbour. This page is made of the types.", "",
    ]  # fmt: skip
    for name in SECTIONS:
        lines += [f"## {PLACES[name]}", "", *_section(getattr(sections, name))]
    lines += [
        "## `data`: the sources",
        "",
        "`data.source` names one; the other keys are its own.",
        "",
    ]
    for name in sorted(SOURCES.built_in):
        lines += [f"### `source: {name}`", "", *_section(SOURCES.load(name).Config)]
    lines += ["## `method`", "", "`method.name` names one; the other keys are its own.", ""]
    for name in METHODS.built_in:
        method = METHODS.load(name)
        lines += [f"### `name: {name}`", "", _summary(method), "", *_section(method.Config)]
    return _tidy(lines)


def search_page() -> str:
    """Every key of a search by a supernet, and of the network that it chooses."""
    lines = [
        "# Keys of a search by a supernet", "",
        "`edgekd tune RECIPE --search supernet --space FILE` reads a YAML file of these keys; all",
        "may be left out. This page is made of the types.", "",
    ]  # fmt: skip
    for title, struct in SEARCH.items():
        lines += [f"## {title}", "", *_section(struct)]
    return _tidy(lines)


def _section(struct: type[msgspec.Struct]) -> list[str]:
    fields = [f for f in msgspec.structs.fields(struct) if f.encode_name not in ("source", "name")
              or struct is sections.Recipe or struct is sections.LossSection]  # fmt: skip
    if not fields:
        return ["No further keys.", ""]
    meanings = _attributes(struct)
    rows = [
        f"| `{f.encode_name}` | {_type(f.type)} | {_default(f)} | {meanings.get(f.name, '')} |"
        for f in fields
    ]
    return ["| key | type | default | meaning |", "|---|---|---|---|", *rows, ""]


def _attributes(struct: type) -> dict[str, str]:
    """Meaning of each attribute in the docstrings of a struct and of those that it extends."""
    meanings: dict[str, str] = {}
    for kind in reversed(struct.__mro__):
        section = re.split(r"\n\s*Attributes:\n", inspect.cleandoc(vars(kind).get("__doc__") or ""))
        for entry in re.split(r"\n(?=    \w+:)", "\n" + section[1]) if section[1:] else ():
            name, _, text = entry.strip().partition(":")
            body = re.split(r"\n(?!    )", text)[0]
            meanings[name] = " ".join(body.split()).replace("|", "\\|")
    return meanings


def _type(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " or ".join(f"`{word}`" for word in inner)
    if hasattr(kind, "__metadata__"):
        return _type(inner[0]) + "".join(_limits(meta) for meta in kind.__metadata__)
    if origin is Union or str(origin) == "<class 'types.UnionType'>":
        return " or ".join(dict.fromkeys(_type(each) for each in inner))
    if origin in (tuple, list):
        return f"list of {_type(inner[0])}"
    if origin is dict:
        return "keys"
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return "section"
    return TYPES.get(kind, getattr(kind, "__name__", str(kind)))


def _limits(meta: msgspec.Meta) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    limits = [f"{sign} {getattr(meta, key)}" for key, sign in signs.items()
              if getattr(meta, key) is not None]  # fmt: skip
    return f" {', '.join(limits)}" if limits else ""


def _default(field: Any) -> str:
    if field.required:
        return "required"
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    plain = msgspec.to_builtins(value)
    if isinstance(value, msgspec.Struct) or plain is None or plain in ("", (), [], {}):
        return ""
    return f"`{msgspec.json.encode(plain).decode()}`"


def _summary(kind: type) -> str:
    return " ".join(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].split())


def commands_page() -> str:
    """Every verb of `edgekd`, with its arguments and options."""
    root: Any = typer.main.get_command(app)
    lines = [
        "# Commands", "",
        "This page is made of the commands themselves; `edgekd VERB --help` prints the same.",
        "`edgekd --install-completion` lets the shell complete them.", "",
    ]  # fmt: skip
    for words, command in _verbs("edgekd", root):
        lines += [f"## `{words}`", "", *_help(command), *_parameters(command)]
    return _tidy(lines)


def _verbs(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    for name, inner in getattr(command, "commands", {}).items():
        if hasattr(inner, "commands"):
            yield from _verbs(f"{words} {name}", inner)
        else:
            yield f"{words} {name}", inner


def _help(command: click.Command) -> list[str]:
    paragraphs = inspect.cleandoc(command.help or "").replace("\b", "").split("\n\n")
    return [line for text in paragraphs for line in (_plain(text), "")]


def _parameters(command: click.Command) -> list[str]:
    rows = []
    for one in command.params:
        if "--help" in one.opts:
            continue
        names = ", ".join(f"`{name}`" for name in (*one.opts, *one.secondary_opts))
        if isinstance(one, click.Argument) or not one.opts[0].startswith("-"):
            names = f"`{one.name.upper()}`"
        rows.append(f"| {names} | {_plain(getattr(one, 'help', '') or '')} |")
    return ["| argument | meaning |", "|---|---|", *rows, ""] if rows else []


def _plain(text: str) -> str:
    """Help text without rich's markup, in one line, safe in a table."""
    return " ".join(re.sub(r"\[/?[a-z ]+\]", "", text).split()).replace("|", "\\|")


def _tidy(lines: list[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
