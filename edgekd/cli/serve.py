"""`edgekd serve`."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.console import say
from edgekd.cli.places import Reads, Writes

__all__ = ["serve"]


def serve(
    bundle: Annotated[Path, Reads.BUNDLE, typer.Argument(help="A bundle folder or .edgekd file.")],
    write: Annotated[
        Path | None,
        Writes.FOLDER,
        typer.Option(help="Write the page as a folder of static files instead of serving it."),
    ] = None,
    public_key: Annotated[
        Path | None,
        Reads.PUBLIC_KEY,
        typer.Option(help="Ed25519 key as PEM that the bundle must be signed with."),
    ] = None,
    page: Annotated[
        Path | None,
        Reads.PAGE,
        typer.Option(help="Folder of the built page, if it is not this checkout's."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; browsers trust plain HTTP of this one alone.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8300,
) -> None:
    """Open a bundle as a page in this machine's browser; or write that page for a file server."""
    from edgekd.page import PageServer, write_page

    if write is not None:
        write_page(bundle, write, page=page, public_key=public_key)
        say(f"wrote the page to {write}")
        return
    with tempfile.TemporaryDirectory(prefix="edgekd-page-") as folder:
        place = Path(folder) / "page"
        write_page(bundle, place, page=page, public_key=public_key)
        with PageServer(place, host, port) as server, contextlib.suppress(KeyboardInterrupt):
            say(f"{server.url} (Ctrl-C ends it)")
            server.wait()
