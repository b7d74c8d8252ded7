"""`dossier.html`: one file without requests and scripts, to be read and to be printed to PDF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekd.bench.report import formats
from edgekd.dossier.chapters import Chapter, open_items
from edgekd.dossier.external import external_pictures
from edgekd.dossier.facts import DossierFacts
from edgekd.dossier.markup import html_of
from edgekd.errors import MissingDependencyError

__all__ = ["check_dossier_page", "render_dossier", "render_text"]

_DOSSIER, _TEXT = "dossier.html.j2", "text.html.j2"
_STYLES = Path(formats.__file__).parent
"""The style sheet is that of the report of measurements."""


def check_dossier_page() -> None:
    """Check that a page can be written.

    Raises:
        MissingDependencyError: jinja2 is not installed.
    """
    _template(_DOSSIER)


def render_text(title: str, markdown: str) -> str:
    """A page of a Markdown text whose first line is its heading.

    Raises:
        MissingDependencyError: jinja2 is not installed.
    """
    html: str = _template(_TEXT).render(title=title, body=html_of(markdown, title))
    return html


def render_dossier(facts: DossierFacts, title: str, every: Sequence[Chapter]) -> str:
    """The page as text.

    Args:
        facts: The facts.
        title: Heading of the page.
        every: The chapters.

    Raises:
        MissingDependencyError: jinja2 is not installed.
    """
    manifest = facts.manifest
    html: str = _template(_DOSSIER).render(
        title=title,
        facts=facts,
        manifest=manifest,
        warnings=manifest.policy.warnings if manifest.policy else (),
        items=[(chapter, html_of(text, "")) for chapter, text in open_items(every)],
        chapters=[(chapter, html_of("\n".join(chapter.lines), chapter.title)) for chapter in every],
        pictures=external_pictures(facts.external) if facts.external else [],
    )
    return html


def _template(name: str) -> Any:
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise MissingDependencyError("jinja2", "report", "write the dossier's page") from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([Path(__file__).parent, _STYLES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
