"""Markdown as HTML for a page: what is no Markdown in it, HTML above all, stays text."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

__all__ = ["OPEN", "html_of"]

OPEN = "> **Open:** "
"""Beginning of a line of Markdown that says what is open."""


def html_of(markdown: str, label: str) -> str:
    """The HTML of a text: CommonMark with tables, each in a box that scrolls by itself.

    Args:
        markdown: The text.
        label: What its tables are about, for screen readers; they are numbered.
    """
    html: str = _renderer().render(markdown)
    first, *rest = html.split("<table>")
    parts = [first]
    for number, part in enumerate(rest, 1):
        name = f"{label}, table {number}" if len(rest) > 1 else f"{label}, table"
        box = f'<div class="scroll" tabindex="0" role="region" aria-label="{_attribute(name)}">'
        parts.append(f"{box}<table>{part.replace('</table>', '</table></div>', 1)}")
    return re.sub(r"<th(?=[ >])", '<th scope="col"', "".join(parts))


@cache
def _renderer() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table")


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
