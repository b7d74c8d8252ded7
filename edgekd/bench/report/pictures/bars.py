"""Bars: memory, size, energy, and shares of the decisions."""

from __future__ import annotations

from collections.abc import Sequence

from edgekd.bench.report.formats import amount, joules, percent
from edgekd.bench.report.marked_rows import MarkedRow
from edgekd.bench.report.pictures.svg import Drawing

__all__ = ["decisions", "energy", "memory", "sizes"]

_WIDTH, _LEFT, _LINE = 360.0, 34.0, 20.0
_ROOM = 74.0  # room for the number behind the bar


def memory(entries: Sequence[MarkedRow]) -> str | None:
    """Bars of peak memory above that before loading; None where no row has it."""
    known = [(each, each.row.memory.rss_peak_delta_bytes) for each in entries if each.row.memory]
    return _bars([(each, float(value), amount(value)) for each, value in known], "Peak memory")


def sizes(entries: Sequence[MarkedRow]) -> str | None:
    """Bars of the size of the model files."""
    known = [(each, each.row.size_bytes) for each in entries if each.row.size_bytes]
    return _bars(
        [(each, float(value), amount(value)) for each, value in known], "Size of the files"
    )


def energy(entries: Sequence[MarkedRow]) -> str | None:
    """Bars of the energy per image by a sensor; None where no row has it."""
    known = [(each, each.row.energy.joules_per_inference) for each in entries if each.row.energy]
    return _bars([(each, value, joules(value)) for each, value in known], "Energy per image")


def _bars(lines: Sequence[tuple[MarkedRow, float, str]], title: str) -> str | None:
    if not lines:
        return None
    drawing = Drawing(_WIDTH, _LINE * len(lines) + 4)
    longest = max(value for _, value, _ in lines) or 1.0
    for index, (entry, value, words) in enumerate(lines):
        y = index * _LINE + 2
        width = (_WIDTH - _LEFT - _ROOM) * max(value, 0.0) / longest
        drawing.open_group(f"{entry.label}: {words}")
        drawing.text(entry.mark.letter, (_LEFT - 8, y + 13), "letter", anchor="end")
        drawing.box((_LEFT, y + 2), (width, _LINE - 6), fill=entry.mark.colour)
        drawing.text(words, (_LEFT + width + 6, y + 13), "ink-text", anchor="start")
        drawing.close_group()
    labels = "; ".join(f"{entry.label}: {words}" for entry, _, words in lines)
    return drawing.svg(f"{title}. {labels}.")


def decisions(entries: Sequence[MarkedRow]) -> str | None:
    """Bars of the shares of images answered, referred to a person, and to be taken again."""
    decided = [entry for entry in entries if entry.row.decisions is not None]
    if not decided:
        return None
    line = 30.0
    drawing = Drawing(_WIDTH, line * len(decided) + 4)
    labels = [_draw_decisions(drawing, entry, i * line) for i, entry in enumerate(decided)]
    return drawing.svg(f"What the whole decision does. {'; '.join(labels)}.")


def _draw_decisions(drawing: Drawing, entry: MarkedRow, y: float) -> str:
    """Draw solid, striped and open bars, which differ even without colours."""
    shares = entry.row.decisions
    assert shares is not None
    parts = [
        ("answered", shares.answered.value),
        ("referred", shares.referred.value),
        ("retaken", shares.retaken.value),
    ]
    words = ", ".join(f"{name} {percent(share)} %" for name, share in parts)
    drawing.open_group(f"{entry.label}: {words}")
    drawing.text(entry.mark.letter, (_LEFT - 8, y + 19), "letter", anchor="end")
    x, room = _LEFT, drawing.width - _LEFT
    for name, share in parts:
        width = room * (share or 0.0)
        if width > 0:
            drawing.box((x, y + 4), (width, 22), f"share {name}")
            if name == "referred":
                _draw_stripes(drawing, x, y + 4, width)
            if width > 40:
                kind = "on-solid" if name == "answered" else "on-open"
                drawing.text(f"{percent(share)} %", (x + width / 2, y + 19), kind)
        x += width
    drawing.close_group()
    return f"{entry.label}: {words}"


def _draw_stripes(drawing: Drawing, x: float, y: float, width: float) -> None:
    position = x + 4
    while position < x + width - 1:
        drawing.path([(position, y), (position, y + 22)], "stripe")
        position += 6
