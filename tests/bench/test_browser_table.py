"""`benchmarks/browser.py`: the numbers of a result as a table."""

from __future__ import annotations

import msgspec
from bench_results import sample_result
from test_compare_script import load


def test_a_row_of_a_browser_has_its_numbers() -> None:
    script = load("browser")
    result = sample_result()
    assert "| what |" not in script.page(result)  # no row of it was measured in a browser
    facts = {
        "engine": "litert.js", "threads": 2, "page_ready_ms": 1000.0, "page_decision_ms": 1500.0,
        "page_gzip_bytes": 3_000_000, "bundle_gzip_bytes": 2_500_000,
    }  # fmt: skip
    row = next(row for row in result.rows if row.role == "artefact" and row.latency_ms)
    row = msgspec.structs.replace(row, runtime=facts)
    table = script.page(msgspec.structs.replace(result, rows=[row]))
    assert "| page requested, until the first decision is shown | 1.50 s |" in table
    assert "| that it takes less than 3 s | met |" in table
    assert "| over the wire by gzip: page and engine | 3.00 MB |" in table
    slow = msgspec.structs.replace(row, runtime=facts | {"page_decision_ms": 3100.0})
    assert "missed" in script.page(msgspec.structs.replace(result, rows=[slow]))
