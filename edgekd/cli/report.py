"""`edgekd report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.console import say

__all__ = ["report"]


def report(
    results: Annotated[list[Path], typer.Argument(help="JSON files of `edgekd bench` or `eval`.")],
    html: Annotated[Path, typer.Option(help="File for the page.")],
) -> None:
    """Print the results and write them as one HTML page that needs no network."""
    from edgekd.bench.report import print_table, write_page
    from edgekd.bench.schema import read_result

    found = [read_result(path) for path in results]
    for result in found:
        print_table(result)
    write_page(found, html)
    say(f"wrote {html}")
