"""Pictures from the section alone are those of the whole validation."""

from __future__ import annotations

from scripted import mixed

from edgekd.evaluation.figures import figures_of
from edgekd.evaluation.section_figures import section_figures


def test_they_are_those_of_the_page_of_a_validation() -> None:
    validation = mixed(120)
    section = validation.result.validation
    assert section is not None
    drawn, whole = section_figures(validation.result, section), figures_of(validation)
    assert drawn.decisions == whole.decisions
    assert drawn.confusions == whole.confusions
    assert drawn.subgroups == whole.subgroups
    counts = section.models[0].confusion
    assert counts is not None
    assert f"mel: {counts.counts['mel'][0]} mel" in str(drawn.confusions[0])
