"""`edgekd conformance`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.console import say
from edgekd.cli.places import Writes

__all__ = ["conformance"]


def conformance(
    out: Annotated[Path, Writes.FOLDER, typer.Option(help="Folder of the vectors.")],
) -> None:
    """Write conformance vectors: cases with answers, to check a runtime in another language.

    docs/runtime-contract.md has the rules, `edgekd schema vectors` the format of vectors.json.
    """
    from edgekd.conformance import VECTORS, write_vectors

    vectors = write_vectors(out)
    groups = ("photos", "planes", "captures", "decisions", "bundles", "predictions")
    counts = (f"{len(getattr(vectors, group))} {group}" for group in groups)
    say(f"wrote {out / VECTORS}: {', '.join(counts)}")
    if not vectors.engines:
        say("no engine is installed here, so there are no predictions among them")
