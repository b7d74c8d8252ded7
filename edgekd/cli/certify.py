"""`edgekd certify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekd.cli.console import emit_json, error_summary, report_error, say, ticker
from edgekd.cli.limit_options import critical_classes, limits_by_name
from edgekd.cli.options import (
    DropLabels,
    GroupColumn,
    ImageColumn,
    ImageList,
    ImageRoot,
    Json,
    LabelColumn,
    MapLabels,
    SignersKey,
    Tighten,
)
from edgekd.cli.places import Reads, Writes

if TYPE_CHECKING:
    from edgekd.lower.certify.run import Certification, CertifyRequest

__all__ = ["certify"]


def certify(
    bundle: Annotated[Path, Reads.BUNDLE, typer.Argument(help="A bundle folder or .edgekd file.")],
    csv: Annotated[Path, Reads.TABLE, typer.Option(help="Table of your images and labels.")],
    out: Annotated[
        Path,
        Writes.FOLDER,
        typer.Option(help="The certified bundle: a new folder, or a file that ends in .edgekd."),
    ],
    image_column: ImageColumn = "image",
    label_column: LabelColumn = "label",
    group_column: GroupColumn = None,
    image_root: ImageRoot = None,
    map_labels: MapLabels = None,
    drop: DropLabels = None,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="The clinical policy: dermoscopy, fundus, none, or a .toml file; instead of the "
            "one that the bundle was built under.",
        ),
    ] = None,
    tighten: Tighten = None,
    critical: Annotated[
        str,
        typer.Option(
            metavar="CLASS[=LIMIT],…",
            help="Classes whose loss is most dangerous, beside the policy's own; `none` as in "
            "`edgekd build`.",
        ),
    ] = "",
    public_key: SignersKey = None,
    image_list: ImageList = True,
    json: Json = False,
) -> None:
    """Judge a bundle on labelled images of yours, and write it certified where it passes.

    The gate compares the bundle's file with the float student that it carries, and the decision is
    fitted to these images; no weight changes. PyTorch is not needed. A file that loses too much, or
    does not reach a floor of the policy, stays as it is (exit 4).
    """
    from edgekd.bundle import Bundle
    from edgekd.evaluation.labels import label_map
    from edgekd.evaluation.table import TableRequest, dataset_of_table, read_validation_table
    from edgekd.lower.certify.run import CertifyRequest
    from edgekd.lower.certify.run import certify as certified

    with Bundle.open(bundle, verify=False) as opened:
        task, model = opened.manifest.task, opened.manifest.model
    table = TableRequest(
        file=csv,
        root=image_root,
        image_column=image_column,
        label_columns=label_column.split(","),
        group_column=group_column,
        labels=label_map(map_labels or [], drop or [], model.classes),
    )
    data = read_validation_table(table, model.classes, task=task, ordered=model.ordered)
    request = CertifyRequest(
        bundle=bundle,
        images=dataset_of_table(data, image_root or csv.parent),
        out=out,
        policy=policy,
        tighten=limits_by_name(tighten or []),
        critical=critical_classes(critical),
        public_key=public_key,
        list_images=image_list,
        say=say,
        tick=ticker("images"),
    )
    result = certified(request)
    if json:
        emit_json(_summary(request, result))
    _print(request, result, quiet=json)
    if result.error is not None:
        report_error(result.error)
        raise typer.Exit(result.error.exit_code)


def _summary(request: CertifyRequest, result: Certification) -> dict[str, object]:
    manifest = result.manifest
    return {
        "bundle": str(request.bundle),
        "certified": manifest is not None,
        "path": None if manifest is None else str(request.out),
        "error": error_summary(result.error),
        "reference": result.reference,
        "gate": result.gate,
        "policy": result.policy,
        "decision": None if manifest is None else manifest.decision,
        "metrics": None if manifest is None else manifest.metrics,
        "certificate": None if manifest is None else manifest.certificate,
        "signature_lost": result.was_signed,
    }


def _print(request: CertifyRequest, result: Certification, *, quiet: bool) -> None:
    """The numbers of the gate on stdout, what else the user has to know on stderr."""
    gate, manifest = result.gate, result.manifest
    if not quiet:
        print(
            f"{request.bundle}: compared with {result.reference} on {gate.images} images: flips "
            f"{gate.flips:.1%}, largest difference of an output {gate.max_logit_difference:.3g}"
        )
        for floor in result.policy.floors if result.policy else ():
            print(f"{'met' if floor.met else 'not met'}: {floor.sentence}")
    if manifest is None:
        return
    if not quiet:
        print(f"{request.out}: certified")
    for warning in manifest.warnings:
        say(f"warning: {warning}")
    if result.was_signed:
        say(
            f"the signature of {request.bundle} is not that of the certified bundle: sign it with "
            f"`edgekd sign {request.out} --key KEY`"
        )
    if manifest.lowering.completion != "complete":
        from edgekd.lower.evidence.device_gate import evidence_beside

        say(
            f"copy {evidence_beside(request.out)} to the board beside the bundle; it holds images: "
            "delete it on both when the engine is built"
        )
