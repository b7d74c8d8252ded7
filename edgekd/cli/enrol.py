"""`edgekd enrol`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekd.cli.console import emit_json, error_summary, report_error, say, ticker
from edgekd.cli.options import (
    DropLabels,
    GroupColumn,
    ImageColumn,
    ImageList,
    ImageRoot,
    Json,
    LabelColumn,
    SignersKey,
)
from edgekd.cli.places import Reads, Writes
from edgekd.extensions.tasks import DEFAULT_TASK

if TYPE_CHECKING:
    from edgekd.lower.enrol.run import Enrolment, EnrolRequest

__all__ = ["enrol"]


def enrol(
    bundle: Annotated[Path, Reads.BUNDLE, typer.Argument(help="A bundle folder or .edgekd file.")],
    csv: Annotated[
        Path, Reads.TABLE, typer.Option(help="Table of a few images of each class, with labels.")
    ],
    out: Annotated[
        Path,
        Writes.FOLDER,
        typer.Option(help="The enrolled bundle: a new folder, or a file that ends in .edgekd."),
    ],
    image_column: ImageColumn = "image",
    label_column: LabelColumn = "label",
    group_column: GroupColumn = None,
    image_root: ImageRoot = None,
    drop: DropLabels = None,
    inverse_strength: Annotated[
        float,
        typer.Option(help="C of the logistic head: a smaller one trusts the images less."),
    ] = 1.0,
    research: Annotated[
        bool,
        typer.Option(
            "--research",
            help="Write the bundle although it is not shown to be better than chance.",
        ),
    ] = False,
    public_key: SignersKey = None,
    image_list: ImageList = True,
    json: Json = False,
) -> None:
    """Teach a bundle new classes by a few images of each, on a host or on the board.

    It answers with the table's classes from then on, and with no other: give images of old ones
    that it is to keep. PyTorch is not needed; no weight of its network changes. The bundle needs
    its features (`edgekd build --features`). Each lesion or patient is left out in turn, and a
    bundle that is not shown to be better than chance is not written (exit 4).
    """
    from edgekd.data import load_dataset
    from edgekd.lower.enrol.run import EnrolRequest
    from edgekd.lower.enrol.run import enrol as enrolled

    table = {"file": str(csv), "image_column": image_column, "label_column": label_column}
    table |= {"group_column": group_column} if group_column else {}
    table |= {"root": str(image_root)} if image_root else {}
    request = EnrolRequest(
        bundle=bundle,
        images=load_dataset({"source": "csv", "drop": drop or [], **table}, DEFAULT_TASK),
        out=out,
        inverse_strength=inverse_strength,
        research=research,
        public_key=public_key,
        list_images=image_list,
        tick=ticker("steps"),
    )
    result = enrolled(request)
    if json:
        emit_json(_summary(request, result))
    _print(request, result, quiet=json)
    if result.error is not None:
        report_error(result.error)
        raise typer.Exit(result.error.exit_code)


def _summary(request: EnrolRequest, result: Enrolment) -> dict[str, object]:
    manifest, head = result.manifest, result.head
    return {
        "bundle": str(request.bundle),
        "enrolled": manifest is not None,
        "path": None if manifest is None else str(request.out),
        "error": error_summary(result.error),
        "images": head.images,
        "groups": head.groups,
        "date": head.date,
        "classes": head.classes,
        "balanced_accuracy": {
            "value": head.balanced_accuracy,
            "low": head.balanced_accuracy_low,
            "high": head.balanced_accuracy_high,
        },
        "not_measured": head.not_measured,
        "not_shown": result.shortfall,
        "retaken": result.retaken,
        "trained_on": result.trained_on,
        "certificate": None if manifest is None else manifest.certificate,
        "signature_lost": result.was_signed,
    }


def _print(request: EnrolRequest, result: Enrolment, *, quiet: bool) -> None:
    """What was measured on stdout, what else the user has to know on stderr."""
    from edgekd.lower.evidence.enrolment import share_text

    head, manifest = result.head, result.manifest
    if not quiet:
        for name, one in head.classes.items():
            share = share_text(one.sensitivity, one.low, one.high) or "not measured"
            print(f"{name}: {one.images} images of {one.groups}, right when left out {share}")
        balanced = share_text(
            head.balanced_accuracy, head.balanced_accuracy_low, head.balanced_accuracy_high
        )
        print(f"balanced accuracy when left out: {balanced or 'not measured'}")
    if result.retaken:
        say(
            f"warning: {result.retaken} of the {head.images} images are photos that the bundle "
            "would have taken again: what it was taught may not be what it will see"
        )
    if result.trained_on:
        say(
            f"warning: {result.trained_on} of the {head.images} images trained the network itself: "
            "what was measured on them is too good"
        )
    if manifest is None:
        return
    if not quiet:
        print(f"{request.out}: enrolled, not certified")
    if result.shortfall is not None:
        say(f"warning: {result.shortfall}")
    for warning in manifest.warnings:
        say(f"warning: {warning}")
    if result.was_signed:
        say(
            f"the signature of {request.bundle} is not that of the enrolled bundle: sign it with "
            f"`edgekd sign {request.out} --key KEY`"
        )
