"""The command line: one module for each verb; heavy imports happen inside the verbs."""

from __future__ import annotations

import functools
import itertools
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

import edgekd
from edgekd.cli import (
    bench,
    bom,
    build,
    cache,
    certify,
    compare,
    conformance,
    data,
    demo,
    diff,
    distill,
    doctor,
    dossier,
    enrol,
    evaluate,
    importing,
    init,
    list_recipes,
    logits,
    predict,
    report,
    schema,
    serve,
    sign,
    students,
    train,
    tune,
)
from edgekd.cli import verify as verify_verb
from edgekd.cli.console import exit_code_of
from edgekd.cli.places import with_checked_places

__all__ = ["app", "click_command", "main"]

app = typer.Typer(
    name="edgekd",
    help=edgekd.__doc__,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_VERBS: dict[str, Callable[..., None]] = {
    "demo": demo.demo,
    "doctor": doctor.doctor,
    "import": importing.import_model,
    "init": init.init,
    "recipes": list_recipes.recipes,
    "schema": schema.schema,
    "train": train.train,
    "logits": logits.logits,
    "distill": distill.distill,
    "compare": compare.compare,
    "tune": tune.tune,
    "students": students.students,
    "build": build.build,
    "sign": sign.sign,
    "verify": verify_verb.verify,
    "certify": certify.certify,
    "enrol": enrol.enrol,
    "diff": diff.diff,
    "bom": bom.bom,
    "dossier": dossier.dossier,
    "conformance": conformance.conformance,
    "eval": evaluate.evaluate,
    "predict": predict.predict,
    "serve": serve.serve,
    "bench": bench.bench,
    "report": report.report,
    "cache": cache.cache,
}
"""In the order of a project's work, which is also the order in `--help`."""


def _print_version(requested: bool) -> None:
    if requested:
        print(f"edgekd {edgekd.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print edgekd's version."
        ),
    ] = False,
) -> None:
    """Options that stand before any verb."""


for _name, _verb in _VERBS.items():
    app.command(_name)(with_checked_places(_verb))
app.add_typer(data.app, name="data")


@functools.cache
def click_command() -> Any:
    """The verbs with their options, as Click has them; made once, in a tenth of a second."""
    return typer.main.get_command(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: The command line without the program's name; `sys.argv` by default.

    Returns:
        The exit code: 0, that of the error (see `edgekd.errors`), 130 after Ctrl-C, or 141 where
        the reader of stdout has closed the pipe.
    """
    line = list(sys.argv[1:] if arguments is None else arguments)
    verb = itertools.islice(itertools.takewhile(lambda word: not word.startswith("-"), line), 1)
    purpose = f"run `{' '.join(['edgekd', *verb])}`"
    run = functools.partial(click_command(), line, prog_name="edgekd", standalone_mode=False)
    return exit_code_of(run, purpose)
