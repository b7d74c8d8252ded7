"""The record of a bundle's data as a table of Markdown: parts in columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from edgekd.bundle import DataRecord, PolicyWords

__all__ = ["markdown_cell", "part_table"]


def part_table(
    data: DataRecord,
    words: PolicyWords,
    *,
    counts: bool = False,
    attributes: Sequence[str] = (),
) -> Iterator[str]:
    """A table of the parts, with shares of their images.

    Args:
        data: The record.
        words: Words of the domain.
        counts: Whether to show images, lesions or patients, and classes.
        attributes: The attributes to show.
    """
    parts = list(data.parts)
    yield f"| | {' | '.join(parts)} |"
    yield f"|---|{'---|' * len(parts)}"
    if counts:
        yield _line("images", [f"{part.images:,}" for part in data.parts.values()])
        yield _line(words.groups, [f"{part.groups:,}" for part in data.parts.values()])
        yield from _counts(data, "", {part: data.parts[part].classes for part in parts})
    for name in attributes:
        values = {part: data.parts[part].attributes.get(name, {}) for part in parts}
        yield from _counts(data, f"{name}: ", values)


def _counts(
    data: DataRecord, before: str, counts: Mapping[str, Mapping[str, int]]
) -> Iterator[str]:
    for value in dict.fromkeys(value for each in counts.values() for value in each):
        cells = [
            _share(each.get(value, 0), data.parts[part].images) for part, each in counts.items()
        ]
        yield _line(f"{before}{value}", cells)


def _share(count: int, images: int) -> str:
    return f"{count:,} ({count / images:.1%})" if images else f"{count:,}"


def _line(head: str, cells: Sequence[str]) -> str:
    return f"| {markdown_cell(head)} | {' | '.join(cells)} |"


def markdown_cell(text: str) -> str:
    """The text as a cell that no character of it divides or formats."""
    flat = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|" else letter for letter in flat)
