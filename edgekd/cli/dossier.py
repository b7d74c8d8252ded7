"""`edgekd dossier`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.console import say
from edgekd.cli.places import Reads, Writes

__all__ = ["dossier"]


def _print_template(requested: bool) -> None:
    if requested:
        from edgekd.dossier.questions import template

        print(template(), end="")
        raise typer.Exit


def dossier(
    bundle: Annotated[Path, Reads.BUNDLE, typer.Argument(help="A bundle folder or .edgekd file.")],
    out: Annotated[
        Path, Writes.FOLDER, typer.Option(help="Folder for card.md and dossier.html.")
    ] = Path("dossier"),
    fill: Annotated[
        Path | None,
        Reads.ANSWERS,
        typer.Option(help="Answers to what a bundle cannot know; see --template."),
    ] = None,
    result: Annotated[
        Path | None,
        Reads.RESULT,
        typer.Option(help="JSON file of `edgekd eval` on this bundle: its external validation."),
    ] = None,
    public_key: Annotated[
        Path | None,
        Reads.PUBLIC_KEY,
        typer.Option(help="Ed25519 key as PEM that the bundle must be signed with."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with exit code 4 while an item is open.")
    ] = False,
    template: Annotated[
        bool,
        typer.Option(
            "--template",
            callback=_print_template,
            is_eager=True,
            help="Print the file of the answers, all of them open, and end.",
        ),
    ] = False,
) -> None:
    """Write a bundle's dossier for reviewers: card.md, and dossier.html to be printed to PDF.

    Its chapters answer the topics of CLEAR Derm, MI-CLAIM, Model Cards, GMLP, MDR and AI Act; a
    table says which stands where. What nobody has said is listed as open.
    """
    from edgekd.bundle import Bundle
    from edgekd.dossier.document import write_dossier
    from edgekd.dossier.facts import DossierFacts
    from edgekd.dossier.page import check_dossier_page
    from edgekd.dossier.questions import read_answers
    from edgekd.errors import GateFailedError
    from edgekd.evaluation.stored import read_validated

    check_dossier_page()
    answers = read_answers(fill) if fill is not None else {}
    validated = read_validated(result) if result is not None else None
    with Bundle.open(bundle, public_key=public_key) as opened:
        facts = DossierFacts.of(opened, answers, validated)
        count = write_dossier(out, facts)
    say(f"wrote {out}/card.md and {out}/dossier.html")
    if count and strict:
        message = f"{count} items of the dossier are open"
        raise GateFailedError(message, f"they are listed first in {out}/card.md; give --fill")
    if count:
        say(f"{count} items are open; they are listed first")
