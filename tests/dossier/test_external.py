"""The chapter on the external validation has the numbers of the result."""

from __future__ import annotations

from dossier_facts import external

from edgekd.dossier.external import external_lines, external_pictures
from edgekd.dossier.markup import OPEN


def test_numbers_of_this_bundle() -> None:
    facts = external()
    text = "\n".join(external_lines(facts))
    mel = facts.model.outcomes["mel"]
    assert f"| mel | {mel.images} | {mel.answered_right.count}: " in text
    assert "None of the images was used to make the bundle" in text
    assert "certain: " in text
    assert "positive predictive value, mel at a prevalence of 0.02" in text
    assert "- sex: female" in text


def test_nothing_of_it_is_missing_but_what_is() -> None:
    assert not any(line.startswith(OPEN) for line in external_lines(external()))
    lines = [line for line in external_lines(external("not checked")) if line.startswith(OPEN)]
    known = "Whether rpi int8 was made with some of these images is not known: it has no list."
    assert lines == [f"{OPEN}images that are new to the bundle: {known}"]


def test_pictures_are_of_this_bundle() -> None:
    titles = [title for title, _ in external_pictures(external())]
    assert titles[:3] == [
        "Decisions by class", "Confusion matrix, true classes in rows", "Sensitivity for mel",
    ]  # fmt: skip
    first, second = (external_pictures(external(index=index))[0][1] for index in (0, 1))
    assert first.startswith("<svg")
    assert first != second
    subgroups = external_pictures(external())[2][1]
    assert "female: A " in subgroups
    assert ", B " not in subgroups
