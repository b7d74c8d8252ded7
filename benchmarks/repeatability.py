"""How much ten runs of one artefact differ, with and without a load, and what is flagged.

python benchmarks/repeatability.py --bundle B --preset rapid --json OUT --markdown OUT

Conditions take turns, so that what slowly changes in the machine falls on all of them alike. Each
run is a fresh process, as in `edgekd bench`. `cpu` is one process that counts; `memory` is one that
copies 64 MB back and forth. A run counts as flagged where its row would be invalid. Exit code 4
where the harness did not flag nine of ten disturbed runs, or flagged more than one of ten quiet
ones.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np

from edgekd.bench.devices.launch import run_job
from edgekd.bench.measure.disturbances import Disturbances
from edgekd.bench.measure.job import Answer, Job, Series
from edgekd.bench.measure.machine import local_facts
from edgekd.bench.measure.timing import PRESETS, Preset, find_preset
from edgekd.bench.result.statistics import deviation, summarise
from edgekd.bench.result.validity import session_flags, validity_flags
from edgekd.cli.console import exit_code_of, publish, say
from edgekd.data.synthetic import CLASSES, paint
from edgekd.errors import InputError

QUIET = "quiet"
LOADS = {
    "cpu": "n = 0\nwhile True: n += 1",
    "memory": (
        "import numpy as np\na, b = np.zeros((2, 8_000_000))\n"
        "while True: np.copyto(a, b); np.copyto(b, a)"
    ),
}
MOST_QUIET_FLAGGED, LEAST_LOADED_FLAGGED = 0.1, 0.9
_LOAD_STARTS = 2.0  # seconds until the competing process is under way
_IMAGES, _SIDE = 8, 450


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run under one condition; `watch` has the disturbances of both series."""

    condition: str
    p50_ms: dict[str, float]
    p90_ms: dict[str, float]
    flags: list[str]
    watch: dict[str, Disturbances | None] = {}

    @property
    def codes(self) -> list[str]:
        """Codes of its flags, each once."""
        return list(dict.fromkeys(flag.partition(":")[0] for flag in self.flags))


def main(arguments: list[str] | None = None) -> int:
    """Run, print the table, write the files."""
    options = _options(arguments)

    def work() -> int:
        runs = _runs(options)
        publish(markdown(runs), _plain(options, runs), markdown=options.markdown, json=options.json)
        return 0 if holds(runs) else 4

    return exit_code_of(work)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    summary = (__doc__ or "").split("\n", maxsplit=1)[0]
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--images", type=Path, help="folder of JPEGs; else some are painted")
    parser.add_argument("--runs", type=int, default=10, help="of each condition")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="rapid")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--load", action="append", choices=sorted(LOADS), help="both by default")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    return parser.parse_args(arguments)


def _runs(options: argparse.Namespace) -> list[Run]:
    conditions = [QUIET, *(options.load or LOADS)]
    preset = find_preset(options.preset)
    runs = []
    with tempfile.TemporaryDirectory(prefix="edgekd-photos-") as folder:
        job = Job(
            kind="latency",
            images=[str(path) for path in _photos(options.images, Path(folder))],
            threads=options.threads,
            preset=options.preset,
            bundle=str(options.bundle),
        )
        for index in range(options.runs * len(conditions)):
            condition = conditions[index % len(conditions)]
            with _beside(condition):
                runs.append(_run(condition, run_job(job), preset, len(job.images)))
            last = runs[-1]
            say(f"{index + 1:3d} {condition:7s} p50 {last.p50_ms['model']:.3f} ms {last.codes}")
    return runs


def _photos(given: Path | None, folder: Path) -> list[Path]:
    if given is not None:
        found = sorted(
            path for path in given.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg")
        )
        if not found:
            raise InputError(f"{given} has no JPEGs", "give another folder with --images")
        return [path.resolve() for path in found[:32]]
    paths = []
    for index in range(_IMAGES):
        pixels = paint(CLASSES[index % len(CLASSES)], seed=index, size=_SIDE)
        paths.append(folder / f"{index}.jpg")
        cv2.imwrite(str(paths[-1]), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return paths


@contextlib.contextmanager
def _beside(condition: str) -> Iterator[None]:
    """Run the block beside the competing process of that condition, if it has one."""
    if condition == QUIET:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", LOADS[condition]])
    try:
        time.sleep(_LOAD_STARTS)
        yield
    finally:
        process.kill()
        process.wait()


def _run(condition: str, answer: Answer, preset: Preset, images: int) -> Run:
    series = {"model": answer.model, "end-to-end": answer.end_to_end}
    taken: dict[str, Series] = {name: one for name, one in series.items() if one is not None}
    flags = session_flags(answer.facts)
    for name, one in taken.items():
        flags += validity_flags(
            one.samples_ms, preset, series=name, images=images, disturbances=one.disturbances
        )
    summaries = {name: summarise(one.samples_ms) for name, one in taken.items()}
    return Run(
        condition=condition,
        p50_ms={name: summary.p50 for name, summary in summaries.items()},
        p90_ms={name: summary.p90 for name, summary in summaries.items()},
        flags=[str(flag) for flag in flags],
        watch={name: one.disturbances for name, one in taken.items()},
    )


def holds(runs: list[Run]) -> bool:
    """Whether the disturbed runs were flagged and the quiet ones were not (see the module)."""
    for condition in dict.fromkeys(run.condition for run in runs):
        share = flagged_share(runs, condition)
        quiet = condition == QUIET
        if share > MOST_QUIET_FLAGGED if quiet else share < LEAST_LOADED_FLAGGED:
            return False
    return True


def flagged_share(runs: list[Run], condition: str) -> float:
    """Share of a condition's runs that were flagged."""
    own = [run for run in runs if run.condition == condition]
    return sum(bool(run.flags) for run in own) / len(own)


def markdown(runs: list[Run]) -> str:
    """The spread of each condition, and what was flagged."""
    spread = "min, median, max | CV"
    lines = [
        f"| condition | series | runs | p50 ms: {spread} | p90 ms: {spread} |",
        f"|{'---|' * 7}",
    ]
    conditions = list(dict.fromkeys(run.condition for run in runs))
    for condition in conditions:
        own = [run for run in runs if run.condition == condition]
        for name in own[0].p50_ms:
            cells = [_spread([run.p50_ms[name] for run in own])]
            cells += [_spread([run.p90_ms[name] for run in own])]
            lines.append(f"| {condition} | {name} | {len(own)} | {' | '.join(cells)} |")
    lines += ["", "| condition | flagged | flags (runs) |", "|---|---|---|"]
    for condition in conditions:
        own = [run for run in runs if run.condition == condition]
        codes = Counter(code for run in own for code in run.codes)
        said = ", ".join(f"{code} ({count})" for code, count in codes.most_common()) or "none"
        count = sum(bool(run.flags) for run in own)
        lines.append(f"| {condition} | {count} of {len(own)} | {said} |")
    verdict = "holds" if holds(runs) else "does not hold"
    return "\n".join([*lines, "", f"The aim {verdict}: {_aim()}.", ""])


def _aim() -> str:
    return "at least nine of ten disturbed runs flagged, at most one of ten quiet ones"


def _spread(values: list[float]) -> str:
    array = np.asarray(values)
    middle = float(np.median(array))
    variation = deviation(array) / float(array.mean())
    return f"{array.min():.3f}, {middle:.3f}, {array.max():.3f} | {variation:.1%}"


def _plain(options: argparse.Namespace, runs: list[Run]) -> dict[str, Any]:
    return {
        "bundle": options.bundle.name,
        "preset": options.preset,
        "threads": options.threads,
        "machine": local_facts(),
        "runs": runs,
        "holds": holds(runs),
    }


if __name__ == "__main__":
    sys.exit(main())
