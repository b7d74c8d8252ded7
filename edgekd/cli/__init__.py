"""The command line: one file for each verb; heavy imports happen inside the verbs."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence

import typer

import edgekd
from edgekd.cli import (
    bench,
    build,
    compare,
    data,
    demo,
    distill,
    doctor,
    evaluate,
    predict,
    report,
    sign,
    train,
)
from edgekd.cli import verify as verify_verb
from edgekd.cli.console import exit_code_of
from edgekd.cli.places import with_checked_places

__all__ = ["app", "main"]

app = typer.Typer(
    name="edgekd",
    help=edgekd.__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_VERBS: dict[str, Callable[..., None]] = {
    "demo": demo.demo,
    "doctor": doctor.doctor,
    "train": train.train,
    "distill": distill.distill,
    "compare": compare.compare,
    "build": build.build,
    "sign": sign.sign,
    "verify": verify_verb.verify,
    "eval": evaluate.evaluate,
    "predict": predict.predict,
    "bench": bench.bench,
    "report": report.report,
}
"""In the order of work, as `--help` shows them."""

for _name, _verb in _VERBS.items():
    app.command(_name)(with_checked_places(_verb))
app.add_typer(data.app, name="data")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code is 0, or that of `edgekd.errors` for what went wrong.

    130 is Ctrl-C, and 141 a reader of stdout that went, as of any program in a pipe.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    words = itertools.takewhile(lambda word: not word.startswith("-"), given)
    purpose = f"run `{' '.join(['edgekd', *itertools.islice(words, 1)])}`"
    return exit_code_of(lambda: app(given, prog_name="edgekd", standalone_mode=False), purpose)
