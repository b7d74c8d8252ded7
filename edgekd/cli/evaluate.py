"""`edgekd eval`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.console import emit_json, say, ticker
from edgekd.cli.places import STDOUT, Reads, Writes
from edgekd.policy import DEFAULT_POLICY, load_policy

__all__ = ["evaluate"]

_SIZE = 256
"""Side in pixels at which all images are decoded again if one of them is damaged."""


def evaluate(
    model: Annotated[Path, Reads.MODEL, typer.Argument(help="A bundle, or a checkpoint's folder.")],
    csv: Annotated[Path, Reads.TABLE, typer.Option(help="Table of images and labels.")],
    image_column: Annotated[str, typer.Option(help="Column of image paths.")] = "image",
    label_column: Annotated[
        str,
        typer.Option(help="Column of labels; several with commas, of findings with 1 and 0."),
    ] = "label",
    group_column: Annotated[
        str | None,
        typer.Option(help="Column of lesions or patients, which intervals take as independent."),
    ] = None,
    image_root: Annotated[
        Path | None,
        Reads.IMAGES,
        typer.Option(help="Folder of the images; by default that of the table."),
    ] = None,
    json: Annotated[
        Path | None,
        Writes.FILE,
        typer.Option("--json", help="File for the result; - is stdout."),
    ] = None,
    predictions: Annotated[
        Path | None,
        Writes.FILE,
        typer.Option(help="CSV for label and scores of each image."),
    ] = None,
    policy: Annotated[
        str,
        typer.Option(help="Policy of a model that records none: a name, or a .toml file."),
    ] = DEFAULT_POLICY,
) -> None:
    """Measure the accuracy of a bundle or checkpoint on labelled images."""
    from edgekd.bench.report import print_table
    from edgekd.bench.run.evaluate import evaluate as evaluate_model
    from edgekd.bench.run.evaluate import model_facts
    from edgekd.bench.subjects.labelled import data_of_csv
    from edgekd.data.damage import refuse_damaged
    from edgekd.errors import ImageError

    facts, columns = model_facts(model), label_column.split(",")
    load_policy(policy)
    data = data_of_csv(
        csv,
        facts.classes,
        task=facts.task,
        ordered=facts.ordered,
        image_column=image_column,
        label_column=columns[0] if len(columns) == 1 else columns,
        group_column=group_column,
        root=image_root,
    )
    for note in data.notes:
        say(f"note: {note}")
    tick, total = ticker("images"), len(data.images)
    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        tick(done, total)

    try:
        command = shlex.join(sys.argv)
        evaluation = evaluate_model(model, data, command=command, policy=policy, step=step)
    except ImageError:
        refuse_damaged([path for path, _ in data.images], _SIZE)
        raise
    if predictions is not None:
        evaluation.write_predictions(predictions)
        say(f"wrote {predictions}")
    if json is not None:
        emit_json(evaluation.result, None if json == STDOUT else json)
    if json != STDOUT:
        print_table(evaluation.result)
