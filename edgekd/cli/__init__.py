"""The command line: one file for each verb; heavy imports happen inside the verbs."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence

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

__all__ = ["app", "main"]

app = typer.Typer(
    name="edgekd",
    help=edgekd.__doc__,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.add_typer(data.app, name="data")
app.command("train")(train.train)
app.command("distill")(distill.distill)
app.command("compare")(compare.compare)
app.command("build")(build.build)
app.command("sign")(sign.sign)
app.command("verify")(verify_verb.verify)
app.command("eval")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("bench")(bench.bench)
app.command("report")(report.report)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code is 0, or that of `edgekd.errors` for what went wrong.

    130 is Ctrl-C, and 141 a reader of stdout that went, as of any program in a pipe.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    words = itertools.takewhile(lambda word: not word.startswith("-"), given)
    purpose = f"run `{' '.join(['edgekd', *itertools.islice(words, 1)])}`"
    return exit_code_of(lambda: app(given, prog_name="edgekd", standalone_mode=False), purpose)
