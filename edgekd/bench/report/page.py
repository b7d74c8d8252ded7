"""The result as one HTML file that needs nothing else: no network, no JavaScript."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekd.bench.report import words
from edgekd.bench.report.plots import Mark, accuracy_latency, accuracy_size, marks_of, sensitivity
from edgekd.bench.result import Result, Row
from edgekd.errors import InputError, MissingDependencyError
from edgekd.files import write_whole

__all__ = ["GalleryItem", "render_page", "write_page"]

_TEMPLATE = "page.html.j2"
_THUMBNAIL = 192


@dataclass(frozen=True)
class GalleryItem:
    """One photo with what was decided on it.

    Attributes:
        image: The photo, a path or encoded bytes.
        caption: A few words below it.
        good: Whether the decision was right; None where that is not known.
    """

    image: Path | bytes
    caption: str
    good: bool | None = None


def write_page(
    results: Result | Sequence[Result], out: Path, gallery: Iterable[GalleryItem] | None = None
) -> None:
    """Write the page, whole or not at all.

    Args:
        results: One section each.
        out: The HTML file.
        gallery: Photos with decisions, shown at the end.

    Raises:
        InputError: There is no result, or the place cannot be written to.
        ImageError: A photo of the gallery cannot be read.
        MissingDependencyError: matplotlib or jinja2 is not installed.
    """
    html = render_page(results, gallery)
    try:
        write_whole(out, html)
    except OSError as error:
        message = f"cannot write the report to {out}: {error.strerror}"
        raise InputError(message, "choose another place for --html") from error


def render_page(
    results: Result | Sequence[Result], gallery: Iterable[GalleryItem] | None = None
) -> str:
    """The page as text; see `write_page`."""
    several = [results] if isinstance(results, Result) else list(results)
    if not several:
        raise InputError("there is no result to report", "give a file of `edgekd bench --json`")
    template = _template()
    sections = [_section(result, f"r{index}") for index, result in enumerate(several)]
    shown = [_gallery_cell(item) for item in gallery or ()]
    html: str = template.render(sections=sections, gallery=shown, words=words)
    return html


def _template() -> Any:
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise MissingDependencyError("jinja2", "report", "write the report's page") from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(_TEMPLATE)


def _section(result: Result, name: str) -> dict[str, Any]:
    """What the template needs of one result."""
    rows, marks = result.rows, marks_of(result.rows)
    marked = list(zip(rows, marks, strict=True))
    by_name = {row.name: mark for row, mark in marked}
    return {
        "result": result,
        "rows": marked,
        "targets": _targets(result, marked),
        "has_melanoma": any(words.melanoma(row) is not None for row in rows),
        "latency_svg": accuracy_latency(rows, marks, f"{name}-latency"),
        "untimed": [pair for pair in marked if pair[0].latency_ms is None],
        "size_svg": accuracy_size(rows, marks, f"{name}-size"),
        "sensitivity_svg": sensitivity(rows, marks, f"{name}-sensitivity"),
        "flags": [
            (flag.sentence, [by_name[row] for row in flag.rows]) for flag in words.plain_flags(rows)
        ],
        "memory_words": sorted({row.memory.definition for row in rows if row.memory is not None}),
        "environment": _environment(result),
    }


def _targets(
    result: Result, marked: Sequence[tuple[Row, Mark]]
) -> list[tuple[str, list[tuple[Row, Mark, list[str]]]]]:
    """Each target with its artefacts and what they are worth, in the order of the rows."""
    targets: dict[str, list[tuple[Row, Mark, list[str]]]] = {}
    for row, mark in marked:
        if row.role == "artefact":
            sentences = words.headline(row, result)
            targets.setdefault(row.target or "", []).append((row, mark, sentences))
    return list(targets.items())


def _environment(result: Result) -> list[tuple[str, list[tuple[str, str]]]]:
    blocks = []
    if result.device.facts:
        blocks.append((f"Device: {result.device.name}", _lines(result.device.facts)))
    # Where the device is this machine its facts stand there; the host adds how it was asked.
    host = {k: v for k, v in result.host.items() if result.device.facts.get(k) != v}
    host.pop("temperatures_c", None)
    if host:
        blocks.append(("Host and settings", _lines(host)))
    data = result.data
    facts = {"name": data.name, "part": data.split, "images": data.n, "sha256": data.sha256}
    blocks.append(("Data", _lines(facts | {"classes": ", ".join(data.classes)})))
    return blocks


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    return [(key.replace("_", " "), _value(key, value)) for key, value in facts.items()]


def _value(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items()) or words.DASH
    if key.endswith("_bytes") and isinstance(value, int):
        return words.amount(value)
    return str(value)


def _gallery_cell(item: GalleryItem) -> dict[str, Any]:
    import cv2

    from edgekd.runtime.preprocess import load_image

    pixels = load_image(item.image, _THUMBNAIL)
    quality = [int(cv2.IMWRITE_JPEG_QUALITY), 82]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), quality)
    data = base64.b64encode(encoded.tobytes()).decode()
    return {"data": data, "caption": item.caption, "good": item.good}
