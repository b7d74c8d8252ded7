"""`edgekd diff`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekd.cli.console import emit_json, say
from edgekd.cli.options import (
    DropLabels,
    GroupColumn,
    ImageColumn,
    ImageRoot,
    LabelColumn,
    MapLabels,
)
from edgekd.cli.places import STDOUT, Reads, Writes

if TYPE_CHECKING:
    from edgekd.dossier.change.report import Comparison
    from edgekd.dossier.change.verdict import Verdict
    from edgekd.evaluation.table import TableRequest
    from edgekd.evaluation.validation import ExternalValidation

__all__ = ["diff"]


def _print_template(requested: bool) -> None:
    if requested:
        from edgekd.dossier.change.plan import plan_template

        print(plan_template(), end="")
        raise typer.Exit


def diff(
    old: Annotated[Path, Reads.BUNDLE, typer.Argument(help="The bundle in use.")],
    new: Annotated[Path, Reads.BUNDLE, typer.Argument(help="The one that is to take its place.")],
    plan: Annotated[
        Path | None,
        Reads.PLAN,
        typer.Option(
            help="Plan of changes (YAML): exit code 4 outside of it; see --plan-template."
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        Reads.TABLE,
        typer.Option(help="Table of images and labels that both are run on, as by `edgekd eval`."),
    ] = None,
    image_column: ImageColumn = "image",
    label_column: LabelColumn = "label",
    group_column: GroupColumn = None,
    image_root: ImageRoot = None,
    map_labels: MapLabels = None,
    drop: DropLabels = None,
    json: Annotated[
        Path | None,
        Writes.FILE,
        typer.Option("--json", help="File for the comparison; - is stdout."),
    ] = None,
    markdown: Annotated[
        Path | None, Writes.FILE, typer.Option(help="File for the report as Markdown.")
    ] = None,
    html: Annotated[Path | None, Writes.FILE, typer.Option(help="File for the page.")] = None,
    template: Annotated[
        bool,
        typer.Option(
            "--plan-template",
            callback=_print_template,
            is_eager=True,
            help="Print a plan of changes with comments, and end.",
        ),
    ] = False,
) -> None:
    """Compare two bundles: what changed, and every figure on the same images, by a plan.

    Images that a bundle was made with are refused. Without --csv figures are not paired, and no
    margin of a plan holds.
    """
    from edgekd.bundle import Bundle
    from edgekd.dossier.change.figures import paired_figures
    from edgekd.dossier.change.plan import read_plan
    from edgekd.dossier.change.report import ComparedBundle, Comparison
    from edgekd.dossier.page import check_dossier_page

    if html is not None:
        check_dossier_page()
    agreed = read_plan(plan) if plan is not None else None
    with Bundle.open(old) as before, Bundle.open(new) as after:
        bundles = ComparedBundle.of(before), ComparedBundle.of(after)
    validation = None
    if csv is not None:
        from edgekd.evaluation.labels import label_map
        from edgekd.evaluation.table import TableRequest
        from edgekd.evaluation.validation import common_facts

        _, classes, _ = common_facts([old, new])
        table = TableRequest(
            file=csv,
            root=image_root,
            image_column=image_column,
            label_columns=label_column.split(","),
            group_column=group_column,
            labels=label_map(map_labels or [], drop or [], classes),
        )
        validation = _measured([old, new], table)
    figures = paired_figures(validation) if validation is not None else []
    comparison = Comparison.of(*bundles, agreed, validation, figures)
    _write(comparison, json=json, markdown=markdown, html=html)
    if comparison.verdict is not None:
        _refuse(comparison.verdict)


def _measured(models: list[Path], table: TableRequest) -> ExternalValidation:
    """Both bundles on the images of the table."""
    from edgekd.cli.evaluate import measured
    from edgekd.evaluation.table import read_validation_table
    from edgekd.evaluation.validation import ValidationRequest, common_facts

    task, classes, ordered = common_facts(models)
    data = read_validation_table(table, classes, task=task, ordered=ordered)
    return measured(ValidationRequest(models=models, command=shlex.join(sys.argv)), data)


def _write(
    comparison: Comparison, *, json: Path | None, markdown: Path | None, html: Path | None
) -> None:
    """Print the comparison, and write the files that were requested."""
    from edgekd.dossier.page import render_text
    from edgekd.files import write_atomically

    text = comparison.markdown()
    if markdown is not None:
        write_atomically(markdown, text)
        say(f"wrote {markdown}")
    if html is not None:
        write_atomically(html, render_text("Change of a bundle", text))
        say(f"wrote {html}")
    if json is not None:
        emit_json(comparison.values(), None if json == STDOUT else json)
    if json != STDOUT:
        print(text, end="")


def _refuse(verdict: Verdict) -> None:
    """Raise where the change is outside of its plan."""
    from edgekd.errors import GateFailedError

    reasons = verdict.reasons
    if not reasons:
        return
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    message = f"the change is outside of the plan {verdict.plan.name}: {reasons[0]}{more}"
    raise GateFailedError(message, "keep the old bundle, or have a new plan approved first")
