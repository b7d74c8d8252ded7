"""The comparison as a table."""

from __future__ import annotations

from pathlib import Path

from small_comparisons import Make, run

from edgekd.distill.comparison.comparison_table import markdown


def test_the_markdown_table_is_rectangular(recipe: Make, tmp_path: Path) -> None:
    found, _ = run(recipe, tmp_path, [0])
    lines = [line for line in markdown(found).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 1 + len(found.rows)
    assert len({line.count("|") for line in lines}) == 1
