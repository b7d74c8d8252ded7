"""What a page with a bundle costs, as a table of Markdown, from results of a bench in a browser.

    edgekd bench --device browser --run RUN --bundle BUNDLE --json browser.json
    python benchmarks/browser.py browser.json --markdown browser.md

The page's own numbers (`page_ready_ms` and the like) are facts of the runtime in the result.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgekd.bench.result import Result, ResultRow
from edgekd.bench.result.file import read_result

FIRST_DECISION_S = 3.0
"""What the first decision may take from the request of the page, on a computer."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("result", type=Path)
    parser.add_argument("--markdown", type=Path, required=True)
    options = parser.parse_args()
    options.markdown.write_text(page(read_result(options.result)), encoding="utf-8")


def page(result: Result) -> str:
    """The table of each row that was measured in the browser, below the command and the machine."""
    facts = result.device.facts
    machine = f"{facts.get('cpu')}, {facts.get('cores')} cores, {facts.get('browser')}"
    lines = ["# A bundle in a browser", "", f"    {result.command}", "", f"{machine}.", ""]
    for row in result.rows:
        if row.latency_ms is not None and "page_decision_ms" in row.runtime:
            lines += [f"## {row.name}", "", "| what | value |", "|---|---:|"]
            lines += [f"| {name} | {value} |" for name, value in numbers(row)]
            lines += [""]
            lines += [f"- {flag}" for flag in row.flags]
            lines += [""]
    return "\n".join(lines).rstrip() + "\n"


def numbers(row: ResultRow) -> Iterator[tuple[str, str]]:
    """Names and values of a row's numbers."""
    latency, facts = row.latency_ms, row.runtime
    assert latency is not None
    yield "engine", f"{facts['engine']}, threads: {facts['threads']}"
    yield "page requested, until a photo can be chosen", _seconds(facts["page_ready_ms"])
    yield "page requested, until the first decision is shown", _seconds(facts["page_decision_ms"])
    yield f"that it takes less than {FIRST_DECISION_S:.0f} s", _verdict(facts)
    yield "engine and bundle loaded", _milliseconds(latency.load_ms)
    yield "the network's first run", _milliseconds(latency.first_ms)
    yield "the network, p50 / p90", _both(latency.model)
    if latency.end_to_end is not None:
        yield "JPEG to decision, p50 / p90", _both(latency.end_to_end)
    for point in row.sweep:
        yield f"the network, threads: {point.threads}, p50", _milliseconds(point.p50)
    if row.memory is not None:
        yield "memory of the page's process, growth", _megabytes(row.memory.rss_peak_delta_bytes)
    yield "over the wire by gzip: page and engine", _megabytes(facts["page_gzip_bytes"])
    yield "over the wire by gzip: bundle", _megabytes(facts["bundle_gzip_bytes"])


def _verdict(facts: dict[str, Any]) -> str:
    return "met" if facts["page_decision_ms"] < 1000 * FIRST_DECISION_S else "missed"


def _both(series: Any) -> str:
    return f"{series.p50:.1f} / {series.p90:.1f} ms"


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.2f} s"


def _milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} ms"


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.2f} MB"


if __name__ == "__main__":
    main()
