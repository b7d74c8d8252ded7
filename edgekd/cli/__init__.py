"""The command line: one file for each verb; heavy imports happen inside the verbs."""

from __future__ import annotations

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
from edgekd.cli.console import report_error
from edgekd.errors import EdgekdError

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


_INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 and the number of SIGINT, as shells have it."""


def _interrupted() -> int:
    print("interrupted", file=sys.stderr)
    return _INTERRUPTED


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit code is 0, or that of `edgekd.errors` for what went wrong."""
    try:
        app(args=list(sys.argv[1:] if arguments is None else arguments), prog_name="edgekd")
    except EdgekdError as error:
        report_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return _interrupted()
    except SystemExit as ending:
        if ending.code == _INTERRUPTED:  # Typer took Ctrl-C, and said nothing
            return _interrupted()
        return ending.code if isinstance(ending.code, int) else 0
    return 0
