"""The changes between two results as a table."""

from __future__ import annotations

from painted_results import artefact, result, teacher_row

from edgekd.bench.compare.regression import Regressions, compare_results
from edgekd.bench.compare.regression_table import as_markdown, print_changes, summary_line

BASE = artefact(1)


def test_the_table_has_the_worst_first(capsys):
    new = artefact(2, p50=20.0, size_bytes=1_000_000, memory=None)
    found = compare_results(result(BASE), result(new, teacher_row()))
    lines = as_markdown(found).splitlines()
    verdict_of = [line.split("|")[1].strip() for line in lines[4:]]
    assert verdict_of[0] == "regression"
    assert verdict_of == sorted(
        verdict_of, key=["regression", "unknown", "improvement", "same"].index
    )
    assert "| improvement | rpi int8 | size, bytes | 2,500,000 | 1,000,000 | -60.0% |" in lines
    assert summary_line(found).endswith("; new rows: teacher")
    print_changes(found)
    assert summary_line(found) in " ".join(capsys.readouterr().out.split())


def test_nothing_to_compare_is_said():
    assert summary_line(Regressions(changes=[])) == "nothing to compare"
