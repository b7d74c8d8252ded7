"""The results as one self-contained HTML file: no network, no JavaScript."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgekd.bench.report import formats, pictures, states
from edgekd.bench.report.columns import columns_of, policy_of, tasks_of
from edgekd.bench.report.flags import missing_sentence, plain_flags, reason_for_null
from edgekd.bench.report.gallery import GalleryItem, Resolver, changed_images, thumbnail
from edgekd.bench.report.marked_rows import (
    MarkedRow,
    ReportPart,
    marked_rows_of,
    parts_of,
    timed_parts,
)
from edgekd.bench.report.missed import (
    ReportedValidation,
    missed_blocks,
    validations_by_result,
)
from edgekd.bench.report.sentences import row_sentences
from edgekd.bench.result import Result
from edgekd.errors import InputError, MissingDependencyError
from edgekd.files import write_atomically

__all__ = ["check_page", "render_page", "write_page"]

_TEMPLATE = "page.html.j2"
_SHOWN_CHANGES = 12


def write_page(
    results: Result | Sequence[Result],
    out: Path,
    gallery: Iterable[GalleryItem] | None = None,
    *,
    images: Resolver | None = None,
    validations: Sequence[ReportedValidation | None] = (),
) -> None:
    """Write the page, whole or not at all.

    Args:
        results: One result, or those of several devices for one page.
        out: The HTML file.
        gallery: Photos with decisions, shown at the end.
        images: Finds the images whose decision changed; see `images_below`.
        validations: The external validation of each result, None for those without one.

    Raises:
        InputError: There is no result, or the place cannot be written to.
        ImageError: A photo of the gallery cannot be read.
        MissingDependencyError: jinja2 is not installed.
    """
    html = render_page(results, gallery, images=images, validations=validations)
    try:
        write_atomically(out, html)
    except OSError as error:
        message = f"cannot write the report to {out}: {error.strerror}"
        raise InputError(message, "choose another place for --html") from error


def check_page() -> None:
    """Check that a page can be written, before a long measurement.

    Raises:
        MissingDependencyError: jinja2 is not installed.
    """
    _template()


def render_page(
    results: Result | Sequence[Result],
    gallery: Iterable[GalleryItem] | None = None,
    *,
    images: Resolver | None = None,
    validations: Sequence[ReportedValidation | None] = (),
) -> str:
    """The page as text; see `write_page`."""
    several = [results] if isinstance(results, Result) else list(results)
    if not several:
        raise InputError("there is no result to report", "give a file of `edgekd bench --json`")
    entries = marked_rows_of(several)
    sections = parts_of(entries)
    overview = _overview(sections)
    validated = validations_by_result(entries, several, validations)
    html: str = _template().render(
        formats=formats,
        states=states,
        reason_for_null=reason_for_null,
        entries=entries,
        overview=overview,
        missed=missed_blocks(overview["blocks"], validated),
        limits=_limits(entries),
        sections=[
            _section(section, images) | {"validated": _validated(section, validated)}
            for section in sections
        ],
        gallery=[_gallery_cell(item) for item in gallery or ()],
        shown_changes=_SHOWN_CHANGES,
    )
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


# ---- over all results ----


def _placed(sections: Sequence[ReportPart]) -> list[tuple[str, Result]]:
    return [
        pair for section in sections for pair in zip(section.places, section.results, strict=True)
    ]


def _overview(sections: Sequence[ReportPart]) -> dict[str, Any]:
    blocks = [
        {
            "place": place,
            "result": result,
            "entries": [e for s in sections for e in s.entries if e.result is result],
            "policy": policy_of(result),
        }
        for place, result in _placed(sections)
    ]
    rows = [entry.row for section in sections for entry in section.entries]
    return {
        "blocks": blocks,
        "summary": states.summary(rows),
        "columns": columns_of([result for _, result in _placed(sections)]).headline,
        "members": _members(sections),
        "margins": states.margin_names(rows),
    }


def _members(sections: Sequence[ReportPart]) -> bool:
    """Whether some task compares classes with the teacher's."""
    return any(task.member_metrics for part in sections for task in tasks_of(part.results))


def _limits(entries: Sequence[MarkedRow]) -> dict[str, Any]:
    """Flags, missing numbers and floors, which limit the use of the numbers."""
    marks = {entry.label: entry.mark for entry in entries}
    flags = plain_flags([(entry.label, entry.row) for entry in entries])
    places = {entry.place: entry.result for entry in entries}
    missing = [
        (place, missing_sentence(each))
        for place, result in places.items()
        for each in result.missing
    ]
    return {
        "flags": flags,
        "missing": missing,
        "research": [entry for entry in entries if entry.row.research],
        "research_texts": sorted(
            {states.research_text(entry.row) for entry in entries if entry.row.research}
        ),
        "several": len(places) > 1,
        "marks": marks,
    }


# ---- results that share a picture ----


def _section(section: ReportPart, images: Resolver | None) -> dict[str, Any]:
    entries = section.entries
    return {
        "places": section.places,
        "data": section.results[0].data,
        "apart": section.apart,
        "entries": entries,
        "targets": _targets(section),
        "axis": section.columns.axis,
        "headline": section.columns.headline,
        "details": section.columns.details,
        "policy": policy_of(section.results[0]),
        "task": tasks_of(section.results)[0],
        "scatters": _scatters(section),
        "untimed": [entry for entry in entries if entry.latency is None],
        "classes": pictures.class_pictures(_distinct(entries)),
        "histograms": [
            (entry, svg) for entry in entries if (svg := pictures.histograms(entry)) is not None
        ],
        "sweep": pictures.thread_sweep(entries),
        "sustained": pictures.sustained(entries),
        "bars": _bars(entries),
        "decisions": pictures.decisions(entries),
        "changes": changed_images(entries, images),
        "flipped": [entry for entry in entries if entry.row.flipped is not None],
        "environment": [
            (place, result, _environment(result)) for place, result in _placed([section])
        ],
    }


def _validated(
    section: ReportPart, validations: Mapping[int, ReportedValidation]
) -> list[tuple[str, str]]:
    """The pictures of the external validations of a part."""
    pictures: list[tuple[str, str]] = []
    for result in section.results:
        if validation := validations.get(id(result)):
            pictures += validation.pictures([e for e in section.entries if e.result is result])
    return pictures


def _distinct(entries: Sequence[MarkedRow]) -> list[MarkedRow]:
    """The rows without a teacher or student that an earlier result shows with equal numbers."""
    kept: list[MarkedRow] = []
    for entry in entries:
        row = entry.row
        known = any(
            other.row.sha256 == row.sha256 and other.row.metrics == row.metrics
            for other in kept
            if other.row.role == row.role
        )
        if row.role == "artefact" or not known:
            kept.append(entry)
    return kept


def _targets(part: ReportPart) -> list[tuple[str, list[tuple[MarkedRow, list[str]]]]]:
    """Each target with its artefacts and their sentences, in the order of the rows."""
    targets: dict[str, list[tuple[MarkedRow, list[str]]]] = {}
    for entry in part.entries:
        if entry.row.role == "artefact":
            sentences = row_sentences(entry.row, entry.result, part.columns.headline)
            targets.setdefault(entry.row.target or "", []).append((entry, sentences))
    return list(targets.items())


def _scatters(part: ReportPart) -> list[dict[str, Any]]:
    """One picture for each timed span, wide and narrow; the page shows the one that fits."""
    axis, drawn = part.columns.axis, []
    if axis is None:
        return []
    for timed in timed_parts(part.entries):
        wide = pictures.accuracy_latency(timed.drawn, axis)
        narrow = pictures.accuracy_latency(timed.drawn, axis, width=360, height=340)
        if wide is not None:
            picture = {"span": timed.span, "entries": timed.entries}
            drawn.append(picture | {"wide": wide, "narrow": narrow})
    return drawn


def _bars(entries: Sequence[MarkedRow]) -> list[tuple[str, str, list[str]]]:
    """Title, picture and definitions of each quantity that some row has."""
    memory = sorted({entry.row.memory.definition for entry in entries if entry.row.memory})
    sensors = sorted({entry.row.energy.sensor for entry in entries if entry.row.energy})
    charts = [
        ("Peak memory above the state before loading", pictures.memory(entries), memory),
        ("Size of the model files", pictures.sizes(entries), []),
        ("Energy per image", pictures.energy(entries), sensors),
    ]
    return [(title, svg, definitions) for title, svg, definitions in charts if svg is not None]


def _environment(result: Result) -> list[tuple[str, list[tuple[str, str]]]]:
    blocks = []
    if result.device.facts:
        blocks.append(("Device", _lines(result.device.facts)))
    # Where the device is this machine, its facts are above; only the run's settings are left.
    host = {k: v for k, v in result.host.items() if result.device.facts.get(k) != v}
    host.pop("temperatures_c", None)
    if host:
        blocks.append(("Host and settings", _lines(host)))
    data = result.data
    facts = {"name": data.name, "part": data.split, "images": data.n, "sha256": data.sha256}
    facts |= {"classes": ", ".join(data.classes), "schema": result.schema_version}
    blocks.append(("Data", _lines(facts)))
    return blocks


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    return [(key.replace("_", " "), _value(key, value)) for key, value in facts.items()]


def _value(key: str, value: Any) -> str:
    if value is None:
        return formats.DASH
    if isinstance(value, dict):
        return ", ".join(f"{name} {each}" for name, each in value.items()) or formats.DASH
    if isinstance(value, list):
        return ", ".join(str(each) for each in value) or formats.DASH
    if key.endswith("_bytes") and isinstance(value, int):
        return formats.amount(value)
    return str(value)


def _gallery_cell(item: GalleryItem) -> dict[str, Any]:
    return {"data": thumbnail(item.image), "caption": item.caption, "good": item.good}
