"""A bundle's dossier: `card.md` and `dossier.html`, for those who review and sign."""

from __future__ import annotations

from pathlib import Path

from edgekd.dossier.chapters import Chapter, chapters, open_items
from edgekd.dossier.facts import DossierFacts
from edgekd.dossier.page import render_dossier
from edgekd.errors import InputError
from edgekd.files import make_folder, write_atomically

__all__ = ["CARD", "PAGE", "dossier_markdown", "title_of", "write_dossier"]

CARD, PAGE = "card.md", "dossier.html"


def write_dossier(folder: Path, facts: DossierFacts) -> int:
    """Write both files, each whole or not at all.

    Args:
        folder: The folder; its other files stay.
        facts: What the dossier is made from.

    Returns:
        The number of open items.

    Raises:
        InputError: The folder cannot be made, or is a bundle, whose card has a hash.
        MissingDependencyError: jinja2 is not installed.
    """
    if (folder / "manifest.json").exists():
        message = f"{folder} is a bundle, whose card.md must stay as it was hashed"
        raise InputError(message, "choose another folder with --out")
    every = chapters(facts)
    page = render_dossier(facts, title_of(facts), every)
    make_folder(folder)
    write_atomically(folder / CARD, dossier_markdown(facts, every))
    write_atomically(folder / PAGE, page)
    return len(open_items(every))


def title_of(facts: DossierFacts) -> str:
    """The product's name, else the network's, with the target."""
    named = facts.answers.get("device.name")
    lowering, model = facts.manifest.lowering, facts.manifest.model
    return named[0] if named else f"{model.name} for {lowering.target}, {lowering.precision}"


def dossier_markdown(facts: DossierFacts, every: list[Chapter]) -> str:
    """The dossier as Markdown: open items first, then the chapters."""
    items = open_items(every)
    lines = [f"# Dossier: {title_of(facts)}", "", f"Bundle SHA-256 {facts.sha256}", ""]
    lines += ["## Open items", ""]
    if items:
        lines += [f"{len(items)} items are open: nobody has said them yet.", ""]
        lines += [f"- {chapter.title}: {text}" for chapter, text in items]
    else:
        lines.append("None. Whether the answers are right is for the reviewer.")
    for chapter in every:
        lines += ["", f"## {chapter.title}", "", *_without_double_blanks(chapter.lines)]
    return "\n".join(lines) + "\n"


def _without_double_blanks(lines: tuple[str, ...]) -> list[str]:
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    return kept
