"""`edgekd report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.console import say
from edgekd.cli.places import Reads, Writes
from edgekd.policy import DEFAULT_POLICY

__all__ = ["report"]


def _print_columns(requested: bool) -> None:
    if requested:
        from edgekd.bench.report import COLUMNS

        for name, meaning in COLUMNS.items():
            print(f"{name}: {meaning}")
        raise typer.Exit


def report(
    results: Annotated[
        list[Path], Reads.RESULT, typer.Argument(help="JSON files of `edgekd bench` or `eval`.")
    ],
    html: Annotated[Path | None, Writes.FILE, typer.Option(help="File for the page.")] = None,
    markdown: Annotated[
        Path | None, Writes.FILE, typer.Option(help="File for the report as Markdown.")
    ] = None,
    csv: Annotated[
        Path | None,
        Writes.FILE,
        typer.Option(help="File for all numbers, one line per row and device."),
    ] = None,
    pareto: Annotated[
        Path | None,
        Writes.FILE,
        typer.Option(
            help="SVG file for accuracy over time with its Pareto front; what may not stand in "
            "one picture follows in OUT-2.svg."
        ),
    ] = None,
    images: Annotated[
        Path | None,
        Reads.IMAGES,
        typer.Option(
            help="Folder of the images, to show those whose decision changed; by default those of "
            "the run that a result stands in."
        ),
    ] = None,
    policy: Annotated[
        str,
        typer.Option(
            help="Policy whose margin and words hold for results that record none: a name, or a "
            ".toml file."
        ),
    ] = DEFAULT_POLICY,
    csv_columns: Annotated[
        bool,
        typer.Option(
            "--csv-columns", callback=_print_columns, is_eager=True, help="Explain --csv, and end."
        ),
    ] = False,
) -> None:
    """Print the results of one or several devices; write them as a page, Markdown, CSV, a picture.

    The page begins with what is missed and what is referred, and needs no network. Results of
    other images, another timed span or another schema stand in their own part of it.
    """
    from edgekd.bench import report as written
    from edgekd.bench.compare.margin import with_margins
    from edgekd.bench.result.file import read_result
    from edgekd.bench.subjects.policy import policy_facts
    from edgekd.bench.subjects.run_folder import images_of_runs
    from edgekd.evaluation.reported import reported_validation
    from edgekd.evaluation.stored import read_validated

    below = None if images is None else written.images_below(_folder(images))
    if pareto is not None:
        written.check_picture(pareto)
    if html is not None:
        written.check_page()
    loaded = [
        with_margins(result, policy_facts(policy, result.data.classes))
        for result in map(read_result, results)
    ]
    for result in loaded:
        written.print_table(result)
    # First, since there may be no picture to draw.
    drawn = written.write_pareto(loaded, pareto) if pareto is not None else []
    if html is not None:
        find = below or images_of_runs(list(zip(results, loaded, strict=True)))
        validations = [reported_validation(read_validated(path)) for path in results]
        written.write_page(loaded, html, images=find, validations=validations)
    if markdown is not None:
        written.write_markdown(loaded, markdown)
    if csv is not None:
        written.write_csv(loaded, csv)
    for out in (html, markdown, csv, *drawn):
        if out is not None:
            say(f"wrote {out}")


def _folder(images: Path) -> Path:
    from edgekd.errors import InputError

    if not images.is_dir():
        raise InputError(f"there is no folder {images}", "give the folder of the images")
    return images
