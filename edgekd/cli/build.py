"""`edgekd build`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekd.cli.console import emit_json, say
from edgekd.cli.options import Json
from edgekd.errors import InputError

if TYPE_CHECKING:
    from edgekd.lower.build import BuiltBundle

__all__ = ["build"]


def build(
    target: Annotated[str, typer.Option(help="A target, several with commas, or `all`.")],
    model: Annotated[
        Path | None, typer.Option(help="The student's checkpoint, or the folder of its run.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the bundles.")] = None,
    precision: Annotated[
        str, typer.Option(help="auto (the first that passes its gate), or int8, fp32, int8,fp32.")
    ] = "auto",
    calibration_images: Annotated[
        int, typer.Option(help="Training images that int8 ranges are measured on.")
    ] = 512,
    data_root: Annotated[
        Path | None, typer.Option(help="Where the model's images are now, if they moved.")
    ] = None,
    zipped: Annotated[bool, typer.Option("--zip", help="Write .edgekd files.")] = False,
    on_device: Annotated[
        Path | None, typer.Option(help="Finish this bundle on the device that this is.")
    ] = None,
    json: Json = False,
) -> None:
    """Lower a student to the bundle of each target; a file that loses too much fails (exit 4)."""
    if on_device is not None:
        from edgekd.lower.finish import finish_on_device

        finished = finish_on_device(on_device, say)
        say(f"finished {finished}")
        return
    if model is None or out is None:
        raise InputError("--model and --out are needed", "or --on-device BUNDLE to finish one")
    from edgekd.lower.build import BuildRequest
    from edgekd.lower.build import build as build_bundles
    from edgekd.targets import resolve_targets

    request = BuildRequest(
        model=model,
        targets=resolve_targets(target),
        out=out,
        precisions=_precisions(precision),
        data_root=data_root,
        calibration_images=calibration_images,
        zipped=zipped,
        say=say,
    )
    built = build_bundles(request)
    if json:
        emit_json([_summary(bundle) for bundle in built])
    else:
        for bundle in built:
            print(bundle.path)


def _precisions(text: str) -> tuple[str, ...] | None:
    if text == "auto":
        return None
    chosen = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for precision in chosen:
        if precision not in ("fp32", "fp16", "int8"):
            message = f"there is no precision {precision!r}"
            raise InputError(message, "--precision is auto, fp32, fp16 or int8")
    return chosen


def _summary(bundle: BuiltBundle) -> dict[str, object]:
    return {
        "target": bundle.target,
        "path": str(bundle.path),
        "size_bytes": bundle.size_bytes,
        "rungs": bundle.rungs,
    }
