"""The report as Markdown."""

from __future__ import annotations

import msgspec
from bench_results import board_result, sample_result

from edgekd.bench.report.markdown import markdown_of


def test_markdown_is_a_table_of_even_width():
    text = markdown_of([sample_result(), board_result()])
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 5 + 3
    assert len({line.count("|") for line in table}) == 1
    assert "no rpi device is configured" in text
    assert "python benchmarks/run.py" in text
    assert "1.20 / 1.28 !" in text


def test_markdown_escapes_names():
    row = msgspec.structs.replace(sample_result().rows[2], name="a|b <i>*x*")
    text = markdown_of([msgspec.structs.replace(sample_result(), rows=[row])])
    assert r"a\|b \<i\>\*x\*" in text
