"""The page of a dossier: silent, complete, and safe whatever the answers hold."""

from __future__ import annotations

from dossier_facts import external, facts_of

from edgekd.dossier.chapters import chapters
from edgekd.dossier.facts import DossierFacts
from edgekd.dossier.page import check_dossier_page, render_dossier, render_text


def page(facts: DossierFacts) -> str:
    return render_dossier(facts, "Lens <2>", chapters(facts))


def test_chapters_open_items_and_warnings() -> None:
    check_dossier_page()
    html = page(facts_of())
    assert html.count("<section id=") == 14
    assert html.count("<blockquote>") == html.count("<li><a href=")
    assert "Lens &lt;2&gt;" in html
    assert "floor not met" in html
    assert "By &lt;me&gt;" in html
    assert "<script" not in html
    assert "http://" not in html.replace("http://www.w3.org", "")


def test_pictures_of_an_external_validation() -> None:
    assert "<figure>" not in page(facts_of())
    assert page(facts_of(external=external())).count("<figure>") >= 4


def test_a_plain_text() -> None:
    html = render_text("Change", "# Change\n\n| a |\n|---|\n| 1 |\n")
    assert html.count("<h1>Change</h1>") == 1
    assert 'aria-label="Change, table"' in html
