"""Markdown on a page: tables scroll by themselves, HTML stays text."""

from __future__ import annotations

from edgekd.dossier.markup import html_of


def test_tables_have_names_and_heads() -> None:
    html = html_of("| a | b |\n|---|---|\n| 1 | 2 |\n\n| c |\n|---|\n| 3 |\n", 'About "it"')
    assert html.count('<div class="scroll" tabindex="0" role="region"') == 2
    assert 'aria-label="About &quot;it&quot;, table 2"' in html
    assert html.count("</table></div>") == 2
    assert html.count('<th scope="col">') == 3


def test_html_stays_text() -> None:
    html = html_of("a <script>alert(1)</script> [x](javascript:alert(1)) **b**", "")
    assert "<script" not in html
    assert "<a " not in html
    assert "<strong>b</strong>" in html
