"""The verbs of the command line, their parameters, and which of those belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import typer

from edgekd.cli import app, click_command
from edgekd.cli.places import Reads, Writes, places_of


@dataclass(frozen=True)
class Verb:
    """A verb with its parameters as Typer sees them."""

    name: str
    function: Callable[..., Any]
    parameters: dict[str, Any]

    @property
    def places(self) -> dict[str, Reads | Writes]:
        return places_of(self.function)

    def forms(self) -> list[dict[str, Reads | Writes]]:
        """Which of its places go together; of a verb that is not listed, all of them."""
        named = FORMS.get(self.name, [tuple(self.places)])
        return [{name: self.places[name] for name in form} for form in named]


@cache
def verbs() -> list[Verb]:
    found: list[Verb] = []
    functions = dict(_functions(app))

    def walk(command: Any, words: tuple[str, ...]) -> None:
        if inner := getattr(command, "commands", None):
            for name, part in inner.items():
                walk(part, (*words, name))
            return
        name = " ".join(words)
        parameters = {parameter.name: parameter for parameter in command.params}
        found.append(Verb(name, functions[name], parameters))

    walk(click_command(), ())
    return found


def _functions(own: typer.Typer, words: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    for command in own.registered_commands:
        yield f"{words}{command.name}", command.callback
    for group in own.registered_groups:
        yield from _functions(group.typer_instance, f"{words}{group.name} ")


FORMS: dict[str, list[tuple[str, ...]]] = {
    "compare": [
        ("recipes", "out", "json", "markdown", "log"),
        ("predictions", "json", "markdown"),
    ],
    "build": [
        ("model", "out", "data_root", "teacher"),
        ("model", "out", "data", "image_root"),
        ("on_device", "evidence"),
        ("bundle", "app", "public_key"),
    ],
    "import": [("source", "out", "check", "images")],
    "logits": [("teacher", "out", "csv", "images"), ("teacher", "out", "recipe")],
    "tune": [("recipe", "space", "out")],
    "serve": [("bundle", "write", "public_key", "page")],
    "sign": [("bundle", "key"), ("new_key",)],
    "certify": [
        ("bundle", "csv", "image_root", "out"),
        ("bundle", "csv", "out", "public_key"),
    ],
    "enrol": [
        ("bundle", "csv", "image_root", "out"),
        ("bundle", "csv", "out", "public_key"),
    ],
    "dossier": [("bundle", "out", "fill", "public_key"), ("bundle", "out", "result")],
    "predict": [
        ("bundle", "images", "public_key"),
        ("bundle", "camera", "save"),
        ("bundle", "images", "fhir", "dicom_sr", "dicom_sc", "picture", "codes"),
    ],
}
"""Of verbs that do several things, which places belong to each."""

LONG_FORMS = {("tune", "latency")}
"""Places of forms that would take minutes where nothing is wrong: a search by a supernet, whose own
tests in tests/tune/supernet have the mistakes."""

_LENIENT = Path(__file__).resolve().parents[2] / "lenient.toml"
"""A policy that the few images of an example are evidence enough for."""

EXTRA_WORDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("build", "model"): ("--target", "cpu-onnx", "--policy", str(_LENIENT)),
    ("import", "source"): ("--classes", "bkl,mel,nv,other"),
    ("build", "bundle"): ("--target", "android"),
    ("build", "data"): ("--precision", "fp32"),  # the few images are too few to calibrate
    ("logits", "csv"): ("--set", "image_size=32", "--views", "1"),
    ("logits", "recipe"): ("--set", "data.classes=[bkl,mel,nv]", "--views", "1"),
    ("predict", "camera"): ("--headless",),
    ("tune", "space"): ("--trials", "1"),
    ("certify", "bundle"): ("--policy", str(_LENIENT)),
    ("eval", "models"): ("--allow-leaks", "--maps", "0"),
    ("bench", "run"): ("--preset", "smoke"),
}
"""What a form with that parameter needs besides places."""

REQUIRED_WORDS = {"device": "cpu", "kind": "recipe"}
"""Values of required parameters that are no places."""


def command_line(verb: Verb, values: dict[str, str]) -> list[str]:
    words = verb.name.split()
    for name, value in values.items():
        parameter = verb.parameters[name]
        words += EXTRA_WORDS.get((verb.name, name), ())
        flags = [] if parameter.param_type_name == "argument" else [parameter.opts[0]]
        words += [*flags, value]
    return words
