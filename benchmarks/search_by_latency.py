"""A network that is chosen under a limit of milliseconds, and the times that it was chosen by.

OMP_NUM_THREADS=1 python benchmarks/search_by_latency.py --out runs/search-by-latency

`edgekd tune --search supernet` measures networks of the space by the harness of `edgekd bench` (a
table of latencies), fits a price to each stage's blocks, and searches under a limit halfway between
the fastest and the slowest of them. The networks of the front are then measured as well.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from markdown_tables import markdown_table
from search_without_data import PLAN, RECIPE

from edgekd.cli.console import exit_code_of, publish, say
from edgekd.distill.runs.pipeline import RunRequest, train
from edgekd.distill.samples.run_samples import load_samples
from edgekd.recipe import Recipe, convert
from edgekd.tune.supernet.latency_table import Latencies, LatencyTable
from edgekd.tune.supernet.measuring import MeasuringRequest, measured_network, measured_table
from edgekd.tune.supernet.outcome import Candidate, SupernetResult
from edgekd.tune.supernet.plan import SupernetPlan
from edgekd.tune.supernet.search import SupernetRequest, search

TARGET, DEVICE = "cpu-onnx", "cpu"
LARGER: dict[str, Any] = {**RECIPE, "name": "search-by-latency", "image_size": 64}
HEADER = ("network", "score", "MACs", "p50 by the table, ms", "p50 measured, ms", "off by")


def main(arguments: list[str] | None = None) -> int:
    """Measure a table, search under a limit, measure what was found."""
    options = _options(arguments)
    return exit_code_of(lambda: _compare(options))


def _compare(options: argparse.Namespace) -> int:
    recipe = convert(LARGER, Recipe, "the benchmark's recipe")
    plan = convert(PLAN, SupernetPlan, "the benchmark's plan")
    teacher = options.out / "teacher"
    train(RunRequest(recipe, teacher, say))
    taught = {**LARGER, "teacher": {"checkpoint": str(teacher.resolve())}}
    recipe = convert(taught, Recipe, "the recipe")
    measuring = MeasuringRequest(
        choices=plan.space, classes=load_samples(recipe).classes,
        image_size=recipe.image_size, device=DEVICE, target=TARGET,
        networks=options.networks, say=say,
    )  # fmt: skip
    file = options.out / "latency.json"
    table = measured_table(measuring, file)
    times = [row.p50_ms for row in table.rows]
    limit = (min(times) + max(times)) / 2
    result = search(
        SupernetRequest(
            recipe, plan, options.out / "search", latency=file, max_latency=limit,
            device=DEVICE, lowered=TARGET, say=say,
        )
    )  # fmt: skip
    front = [result.candidates[number] for number in result.front]
    again = {each.number: measured_network(measuring, each.options).p50_ms for each in front}
    rows = [_row(each, again[each.number], result) for each in front]
    text = f"{markdown_table(HEADER, rows)}\n{_facts(table, result, limit)}"
    values = {"limit_ms": limit, "rows": [dict(zip(HEADER, row, strict=True)) for row in rows]}
    publish(text, values, markdown=options.markdown, json=options.json)
    return 0


def _row(network: Candidate, measured: float, result: SupernetResult) -> tuple[str, ...]:
    expected = result.cost_of(network)
    name = "the winner" if network.number == result.winner else f"number {network.number}"
    return (
        name, f"{network.quality:.3f}", f"{network.macs / 1e6:.2f} M", f"{expected:.3f}",
        f"{measured:.3f}", f"{measured / expected - 1:+.1%}",
    )  # fmt: skip


def _facts(table: LatencyTable, result: SupernetResult, limit: float) -> str:
    times = [row.p50_ms for row in table.rows]
    costs = [result.cost_of(each) for each in result.candidates]
    flagged = sum(row.flagged for row in table.rows)
    lines = [
        f"{len(times)} networks of {result.architectures} were measured on {TARGET}, "
        f"{min(times):.3f} to {max(times):.3f} ms; {flagged} of them flagged by the benchmark.",
        f"A network that was left out of the table is off by "
        f"{Latencies(table).error:.1%} (median).",
        f"The limit was {limit:.3f} ms; {len(costs)} networks were judged, of "
        f"{min(costs):.3f} to {max(costs):.3f} ms (median {np.median(costs):.3f}).",
    ]
    return "".join(f"- {line}\n" for line in lines)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--networks", type=int, default=32, help="networks of the table")
    parser.add_argument("--json", type=Path, help="file for its values")
    parser.add_argument("--markdown", type=Path, help="file for the table")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
