"""The validation as one self-contained HTML file: no network, no JavaScript."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgekd.bench.report import formats
from edgekd.bench.report.columns import columns_of, policy_of
from edgekd.bench.report.flags import plain_flags
from edgekd.bench.report.marked_rows import MarkedRow
from edgekd.bench.result import Estimate
from edgekd.errors import InputError, MissingDependencyError
from edgekd.evaluation import sentences
from edgekd.evaluation.cases import ModelCases
from edgekd.evaluation.document import Validation
from edgekd.evaluation.figures import Figures
from edgekd.evaluation.outcomes import LEAST_ANSWERED
from edgekd.evaluation.pictures.decisions import PARTS
from edgekd.evaluation.validation import ExternalValidation
from edgekd.files import write_atomically

__all__ = ["check_validation_page", "points_text", "render_validation", "write_validation_page"]

_TEMPLATE = "validation.html.j2"
_STYLES = Path(formats.__file__).parent
"""The style sheet is that of the report of measurements."""


def check_validation_page() -> None:
    """Check that a page can be written, before a long measurement.

    Raises:
        MissingDependencyError: jinja2 is not installed.
    """
    _template()


def write_validation_page(
    out: Path, validation: ExternalValidation, figures: Figures, cases: Sequence[ModelCases]
) -> None:
    """Write the page, whole or not at all.

    Args:
        out: The HTML file.
        validation: A validation that has a section.
        figures: Its pictures.
        cases: Single images of each model.

    Raises:
        InputError: The place cannot be written to.
        MissingDependencyError: jinja2 is not installed.
    """
    html = render_validation(validation, figures, cases)
    try:
        write_atomically(out, html)
    except OSError as error:
        message = f"cannot write the page to {out}: {error.strerror}"
        raise InputError(message, "choose another place for --html") from error


def render_validation(
    validation: ExternalValidation, figures: Figures, cases: Sequence[ModelCases]
) -> str:
    """The page as text; see `write_validation_page`."""
    result, section = validation.result, validation.result.validation
    assert section is not None
    policy = policy_of(result)
    html: str = _template().render(
        formats=formats,
        points=points_text,
        result=result,
        section=section,
        policy=policy,
        figures=figures,
        parts=PARTS,
        least_answered=LEAST_ANSWERED,
        over_groups=formats.over_groups(result.data, policy),
        models=_models(validation, figures, cases),
        warnings=_warnings(section, result.data.n),
        notes=_notes(section),
        columns=_columns(validation),
        differences=_differences(section, figures.entries),
        flags=[flag.sentence for flag in plain_flags([(row.name, row) for row in result.rows])],
    )
    return html


def _template() -> Any:
    try:
        import jinja2
    except ModuleNotFoundError as error:
        purpose = "write the page of a validation"
        raise MissingDependencyError("jinja2", "report", purpose) from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([Path(__file__).parent, _STYLES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(_TEMPLATE)


def _models(
    validation: ExternalValidation, figures: Figures, cases: Sequence[ModelCases]
) -> list[dict[str, Any]]:
    section, policy = validation.result.validation, policy_of(validation.result)
    assert section is not None
    return [
        {
            "entry": entry,
            "model": model,
            "sentences": sentences.model_sentences(model, policy),
            "decisions": figures.decisions[index],
            "confusion": figures.confusions[index],
            "reliability": figures.reliability[index],
            "cases": cases[index] if cases else ModelCases([], 0, []),
            "gaps": [(gap, sentences.gap_sentence(gap)) for gap in model.gaps],
        }
        for index, (entry, model) in enumerate(zip(figures.entries, section.models, strict=True))
    ]


def _warnings(section: Validation, images: int) -> list[str]:
    """What a reader has to know before the numbers."""
    leaks = [sentences.leak_sentence(each, images) for each in section.leaks]
    return [each for each in (*leaks, sentences.absent_sentence(section)) if each]


def _notes(section: Validation) -> list[str]:
    """How the table was read."""
    rules = [f"{each.name}: {each.rule}" for each in section.models[0].attributes]
    bins = f"Subgroups: {'; '.join(rules)}. Cells that are blank or unknown are one of their own."
    return [*sentences.label_sentences(section), *([bins] if rules else [])]


def _columns(validation: ExternalValidation) -> list[Any]:
    columns = columns_of([validation.result])
    return [*columns.headline, *columns.details]


def _differences(section: Validation, entries: Sequence[MarkedRow]) -> list[dict[str, Any]]:
    """The pairs of models, each with its lines: what differs, and the estimate."""
    marks = {entry.row.name: entry for entry in entries}
    return [
        {
            "first": marks[pair.first],
            "second": marks[pair.second],
            "pair": pair,
            "lines": [
                *((key.replace("_", " "), each) for key, each in pair.deltas.items()),
                *((f"sensitivity for {name}", each) for name, each in pair.sensitivity.items()),
                *(
                    (f"{name} answered as something else", each)
                    for name, each in pair.answered_wrong.items()
                ),
            ],
        }
        for pair in section.differences
    ]


def points_text(estimate: Estimate | None) -> str:
    """A difference in points with its interval: `+1.2 (-0.4 to 2.8)`."""
    if estimate is None or estimate.value is None:
        return formats.DASH
    value, low, high = (
        None if each is None else f"{100 * each:+.1f}".replace("-", "\N{MINUS SIGN}")
        for each in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} ({low} to {high})" if low is not None and high is not None else f"{value}"
