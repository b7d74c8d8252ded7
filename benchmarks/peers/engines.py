"""`edgekd bench` compared with the engines' own tools, on the same model files.

python benchmarks/peers/engines.py --bundles BUNDLE… [--json OUT] [--markdown OUT]

In each round our harness (preset `rapid`, the model's series) and the tools time the same file one
after the other, each in a fresh process, with the same threads, hints and, where the tool can take
them, images; the order turns with each round. Ratios are taken within rounds. The tools
run in this environment, so that they load the same engine libraries. Linux only.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from engines_subject import Subject
from engines_tables import markdown
from engines_tools import TOOLS, Call, Reading, Tool
from environments import Environments, UnavailableError
from reports import plain, revision
from summary import Spread

from edgekd.bench.devices.launch import run_job
from edgekd.bench.measure.job import Answer, Job
from edgekd.bench.measure.machine import local_facts
from edgekd.cli.console import exit_code_of, publish, say

LOW, HIGH = 0.95, 1.05
"""The aim for the ratio of our p50 to a tool's."""


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        rounds: Rounds for each subject.
        preset: Preset of our harness.
        seconds: Seconds that each tool measures in a round.
        warmup_seconds: Seconds of warm-up, where the tool lets them be set.
    """

    rounds: int
    preset: str
    seconds: float
    warmup_seconds: float


THOROUGH = Effort(rounds=5, preset="rapid", seconds=2.0, warmup_seconds=1.0)
QUICK = Effort(rounds=1, preset="smoke", seconds=0.2, warmup_seconds=0.05)


@dataclass(frozen=True)
class Ours:
    """The numbers of our harness in one round."""

    p50: float
    mean: float
    runs: int
    other_load: float | None
    facts: dict[str, Any]

    @classmethod
    def of(cls, answer: Answer) -> Ours:
        """The numbers of the model's series in an answer."""
        series = answer.model
        assert series is not None
        samples = series.samples_ms
        return cls(
            median(samples),
            fmean(samples),
            len(samples),
            (series.disturbances.other_load if series.disturbances else None),
            dict(answer.facts),
        )


Rounds = list[dict[str, Ours | Reading]]
OURS = "edgekd"


def main(arguments: list[str] | None = None) -> int:
    """Measure; print the table, write the files."""
    options = _options(arguments)

    def work() -> None:
        result = _result(options)
        files = {"markdown": options.markdown, "json": options.json}
        publish(markdown(result), plain(result), **files)

    return exit_code_of(work)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundles", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("--threads", type=int, default=1, help="of each engine")
    parser.add_argument("--rounds", type=int, help=f"default {THOROUGH.rounds}")
    parser.add_argument("--no-bare", action="store_true", help="the engines' own tools alone")
    parser.add_argument("--json", type=Path, help="file for the result")
    parser.add_argument("--markdown", type=Path, help="file for the table")
    parser.add_argument("--quick", action="store_true", help="shows that it works: no measurement")
    return parser.parse_args(arguments)


def _result(options: argparse.Namespace) -> dict[str, Any]:
    effort = QUICK if options.quick else THOROUGH
    effort = dataclasses.replace(effort, rounds=options.rounds or effort.rounds)
    before = os.getloadavg()
    with tempfile.TemporaryDirectory(prefix="edgekd-engines-") as home:
        subjects = [Subject.of(folder, Path(home)) for folder in options.bundles]
        variables = Environments(Path(home), here=True).child_environment()
        compared = [_compared(one, effort, options, variables) for one in subjects]
    return {
        "command": shlex.join(["python", "benchmarks/peers/engines.py", *_shown(options)]),
        "revision": revision(),
        "machine": local_facts(),
        "load_before": before,
        "threads": options.threads,
        "effort": effort,
        "aim": {"low": LOW, "high": HIGH},
        "subjects": compared,
    }


def _compared(
    subject: Subject, effort: Effort, options: argparse.Namespace, variables: dict[str, str]
) -> dict[str, Any]:
    """All rounds of a subject, and their summary."""
    pilot = _ours(subject, "smoke", options.threads).p50
    call = Call(options.threads, effort.seconds, effort.warmup_seconds, pilot, variables)
    tools = [
        tool
        for tool in TOOLS
        if tool.backend == subject.backend and (tool.own or not options.no_bare)
    ]
    ready, missing = _tried(tools, subject, dataclasses.replace(call, seconds=0.0))
    rounds: Rounds = []
    for number in range(effort.rounds):
        say(f"{subject.name}: round {number + 1} of {effort.rounds}")
        rounds.append(_round(subject, ready, effort, call, backwards=number % 2 == 1))
    ours = [_as_ours(one) for one in rounds]
    return {
        "name": subject.name,
        **subject.facts,
        "missing": missing,
        "ours": {
            "p50_ms": Spread.of([one.p50 for one in ours]),
            "rounds": ours,
        },
        "tools": [_summary(tool, rounds) for tool in ready],
    }


def _tried(
    tools: Sequence[Tool], subject: Subject, call: Call
) -> tuple[list[Tool], dict[str, str]]:
    """The tools that run here, each tried once, and why the others do not."""
    ready, missing = [], {}
    for tool in tools:
        try:
            tool.read(subject, call)
            ready.append(tool)
        except UnavailableError as error:
            say(f"{tool.name}: {error.message}")
            missing[tool.name] = error.message
    return ready, missing


def _round(
    subject: Subject, tools: Sequence[Tool], effort: Effort, call: Call, *, backwards: bool
) -> dict[str, Ours | Reading]:
    order: list[Tool | None] = [None, *tools]  # None stands for our harness
    found: dict[str, Ours | Reading] = {}
    for tool in reversed(order) if backwards else order:
        if tool is None:
            found[OURS] = _ours(subject, effort.preset, call.threads)
        else:
            found[tool.name] = tool.read(subject, call)
    return found


def _ours(subject: Subject, preset: str, threads: int) -> Ours:
    images = [str(path) for path in subject.images]
    job = Job(
        kind="latency", images=images, threads=threads, preset=preset, bundle=str(subject.folder)
    )
    return Ours.of(run_job(job))


def _as_ours(round_: dict[str, Ours | Reading]) -> Ours:
    ours = round_[OURS]
    assert isinstance(ours, Ours)
    return ours


def _summary(tool: Tool, rounds: Rounds) -> dict[str, Any]:
    """A tool's milliseconds, and the ratio of ours to them within rounds."""
    readings = [one for round_ in rounds if isinstance(one := round_[tool.name], Reading)]
    times = [getattr(_as_ours(one), tool.statistic) for one in rounds]
    pairs = list(zip(times, readings, strict=True))
    ratio = Spread.of([ours / its.ms for ours, its in pairs])
    inner = [one.inner_ms for one in readings if one.inner_ms is not None]
    return {
        "name": tool.name,
        "own": tool.own,
        "statistic": tool.statistic,
        "clock": tool.clock,
        "ms": Spread.of([one.ms for one in readings]),
        "inner_ms": Spread.of(inner) if inner else None,
        "ours_ms": Spread.of(times),
        "ours_over_its": ratio,
        "ours_longer_ms": Spread.of([ours - its.ms for ours, its in pairs]),
        "within": LOW <= ratio.median <= HIGH,
        "obtained": readings[-1].obtained,
        "rounds": readings,
    }


def _shown(options: argparse.Namespace) -> list[str]:
    """The command line without this machine's paths."""
    shown = ["--bundles", *(folder.name for folder in options.bundles)]
    if options.threads != 1:
        shown += ["--threads", str(options.threads)]
    if options.rounds:
        shown += ["--rounds", str(options.rounds)]
    flags = {"--no-bare": options.no_bare, "--quick": options.quick}
    return shown + [flag for flag, given in flags.items() if given]


if __name__ == "__main__":
    sys.exit(main())
