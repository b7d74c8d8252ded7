"""`edgekd bom`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.console import say
from edgekd.cli.places import STDOUT, Reads, Writes

__all__ = ["bom"]


def bom(
    bundle: Annotated[Path, Reads.BUNDLE, typer.Argument(help="A bundle folder or .edgekd file.")],
    out: Annotated[Path, Writes.FILE, typer.Option(help="The bill of material, JSON.")],
    installed: Annotated[
        bool,
        typer.Option(
            "--installed", help="On the device: take the versions of the runtime installed here."
        ),
    ] = False,
    public_key: Annotated[
        Path | None,
        Reads.PUBLIC_KEY,
        typer.Option(help="Ed25519 key as PEM that the bundle must be signed with."),
    ] = None,
) -> None:
    """Write a bundle's bill of material: CycloneDX 1.6, with the model's card."""
    from edgekd.bundle import Bundle
    from edgekd.dossier.bom import bill_of_material
    from edgekd.files import write_atomically

    with Bundle.open(bundle, public_key=public_key) as opened:
        content = bill_of_material(opened, installed=installed)
    write_atomically(out, content)
    if out != STDOUT:
        say(f"wrote {out}")
