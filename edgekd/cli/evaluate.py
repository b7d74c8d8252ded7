"""`edgekd eval`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekd.cli.console import emit_json, say, ticker
from edgekd.cli.options import (
    DropLabels,
    GroupColumn,
    ImageColumn,
    ImageRoot,
    LabelColumn,
    MapLabels,
)
from edgekd.cli.places import STDOUT, Reads, Writes
from edgekd.cli.trusting import TrustCode, trust_checkpoints
from edgekd.policy import DEFAULT_POLICY, load_policy

if TYPE_CHECKING:
    from edgekd.evaluation.table import ValidationData
    from edgekd.evaluation.validation import ExternalValidation, ValidationRequest

__all__ = ["evaluate", "measured"]

_SIZE = 256
"""Side in pixels at which all images are decoded again if one of them is damaged."""


def evaluate(
    models: Annotated[
        list[Path],
        Reads.MODEL,
        typer.Argument(metavar="MODEL...", help="Bundles and checkpoints' folders."),
    ],
    csv: Annotated[Path, Reads.TABLE, typer.Option(help="Table of images and labels.")],
    image_column: ImageColumn = "image",
    label_column: LabelColumn = "label",
    group_column: GroupColumn = None,
    image_root: ImageRoot = None,
    map_labels: MapLabels = None,
    drop: DropLabels = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN[:CUT…],…",
            help="Columns of subgroups: sex,age:40:60,site. Numbers without cuts are binned.",
        ),
    ] = None,
    prevalence: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS=SHARE",
            help="Share of patients with the class, for predictive values: mel=0.02.",
        ),
    ] = None,
    allow_leaks: Annotated[
        bool,
        typer.Option(
            "--allow-leaks", help="Measure on images that a model was trained or fitted on too."
        ),
    ] = False,
    json: Annotated[
        Path | None,
        Writes.FILE,
        typer.Option("--json", help="File for the result; - is stdout."),
    ] = None,
    html: Annotated[
        Path | None, Writes.FILE, typer.Option(help="File for the page, with photos.")
    ] = None,
    pictures: Annotated[
        Path | None, Writes.FOLDER, typer.Option(help="Folder for the pictures as SVG files.")
    ] = None,
    maps: Annotated[
        int,
        typer.Option(
            min=0,
            help="Photos under an occlusion map, on the page and among the pictures: so many "
            "critical ones that each model missed, and so many others.",
        ),
    ] = 6,
    predictions: Annotated[
        Path | None,
        Writes.FILE,
        typer.Option(help="CSV for label, scores, decision and subgroups of each image."),
    ] = None,
    episodes: Annotated[
        str | None,
        typer.Option(
            metavar="WAYSxSHOTS[xCOUNT]",
            help="Instead: few-shot episodes over the table's classes that the checkpoint never "
            "learnt, 600 of 15 queries a class: 5x1, 5x5.",
        ),
    ] = None,
    policy: Annotated[
        str,
        typer.Option(help="Policy of a model that records none: a name, or a .toml file."),
    ] = DEFAULT_POLICY,
    trust_code: TrustCode = False,
) -> None:
    """Measure bundles and checkpoints side by side on labelled images: external validation."""
    from edgekd.evaluation.labels import label_map
    from edgekd.evaluation.page import check_validation_page
    from edgekd.evaluation.subgroups import requested_attributes
    from edgekd.evaluation.table import TableRequest, read_validation_table
    from edgekd.evaluation.validation import ValidationRequest, common_facts, prevalences

    load_policy(policy)
    trust_checkpoints(models, trusted=trust_code)
    if episodes is not None:
        needless = {"--html": html, "--pictures": pictures, "--predictions": predictions,
                    "--by": by, "--prevalence": prevalence, "--map": map_labels}  # fmt: skip
        _episodes(models, episodes, needless, json=json, table={
            "file": str(csv), "image_column": image_column, "label_column": label_column,
            "drop": drop or [],
            **({"group_column": group_column} if group_column else {}),
            **({"root": str(image_root)} if image_root else {}),
        })  # fmt: skip
        return
    task, classes, ordered = common_facts(models)
    table = TableRequest(
        file=csv,
        root=image_root,
        image_column=image_column,
        label_columns=label_column.split(","),
        group_column=group_column,
        labels=label_map(map_labels or [], drop or [], classes),
        attributes=requested_attributes(by),
    )
    request = ValidationRequest(
        models=models,
        command=shlex.join(sys.argv),
        prevalence=prevalences(prevalence or [], classes),
        policy=policy,
        allow_leaks=allow_leaks,
    )
    if html is not None:
        check_validation_page()
    data = read_validation_table(table, classes, task=task, ordered=ordered)
    validation = measured(request, data)
    _write(validation, predictions=predictions, html=html, pictures=pictures, maps=maps)
    if json is not None:
        emit_json(validation.result, None if json == STDOUT else json)
    if json != STDOUT:
        _print(validation)


def _episodes(
    models: list[Path],
    episodes: str,
    needless: Mapping[str, object],
    *,
    json: Path | None,
    table: dict[str, object],
) -> None:
    """Run few-shot episodes.

    Raises:
        InputError: An option says nothing of episodes, or see `evaluate_episodes`.
    """
    from edgekd.cli.episodes import evaluate_episodes, protocol_of
    from edgekd.errors import InputError

    for option in (name for name, value in needless.items() if value):
        raise InputError(f"{option} says nothing of --episodes", "leave one of them out")
    evaluate_episodes(models, table, protocol_of(episodes), json)


def measured(request: ValidationRequest, data: ValidationData) -> ExternalValidation:
    """The validation, with progress; where an image is damaged, all of them are looked for.

    Raises:
        EdgekdError: See `edgekd.evaluation.validation.validate`.
    """
    from edgekd.data.damage import refuse_damaged
    from edgekd.errors import ImageError
    from edgekd.evaluation.validation import validate

    try:
        return validate(request, data, step=_steps(len(request.models) * len(data.bench.images)))
    except ImageError:
        refuse_damaged(data.bench.paths, _SIZE)
        raise


def _steps(total: int) -> Callable[[int], None]:
    """Progress in images of all models together."""
    tick, done = ticker("images"), 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        tick(done, total)

    return step


def _write(
    validation: ExternalValidation,
    *,
    predictions: Path | None,
    html: Path | None,
    pictures: Path | None,
    maps: int,
) -> None:
    """Write the files that were requested."""
    from edgekd.errors import InputError
    from edgekd.evaluation.predictions import write_predictions

    if predictions is not None:
        write_predictions(predictions, validation)
        say(f"wrote {predictions}")
    if html is None and pictures is None:
        return
    if validation.result.validation is None:
        message = f"models of the task {validation.data.bench.task} have no classes to draw"
        raise InputError(message, "leave --html and --pictures out")
    from edgekd.evaluation.cases import cases_of
    from edgekd.evaluation.figures import figures_of, write_figures
    from edgekd.evaluation.page import write_validation_page

    figures, cases = figures_of(validation), cases_of(validation, maps)
    if pictures is not None:
        write_figures(pictures, figures, cases)
        say(f"wrote {pictures}")
    if html is not None:
        write_validation_page(html, validation, figures, cases)
        say(f"wrote {html}")


def _print(validation: ExternalValidation) -> None:
    """The table of metrics, and below it what the first screen of the page says."""
    from edgekd.bench.report import print_table
    from edgekd.evaluation.sentences import plain_text

    print_table(validation.result)
    for line in plain_text(validation.result):
        print(line)
