"""The runtime for Android on the JVM of a host, beside a loop over LiteRT written by hand.

    nice -n -10 taskset -c 0 .venv/bin/python benchmarks/peers/android.py --bundle model.edgekd \
        [--images FOLDER] [--json OUT] [--markdown OUT]

The loop does the same work with the same OpenCV and LiteRT, and checks nothing: decode at the same
fraction of the size, centre crop, resize by area, invoke, softmax. Measured by JMH are a decision
from JPEG bytes in memory, at 600×450 and 4000×3000, and opening; each of them in a process of its
own, which take turns, round by round. Ratios are those of medians within a round.
`make android-benchmark` builds it first, by JDK 17 and Maven. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from photos import make_photos
from reports import REPOSITORY, plain, processor_seconds, revision
from summary import Spread

from edgekd.bench.measure.load import other_share
from edgekd.bench.measure.machine import local_facts
from edgekd.bundle import Bundle
from edgekd.cli.console import exit_code_of, publish, say
from edgekd.errors import ArtefactError, InputError, MissingDependencyError

SIZES = ((600, 450), (4000, 3000))
LOOP, ROWS = "loop", {
    "loop": "OpenCV and LiteRT by hand, told the photo's size; checks nothing",
    "edgekd": "as it comes: damage of the photo, its quality and likeness, decision with reasons",
    "edgekd-without-quality": "`Options(quality = false)`",
    "loop-of-all-pixels": "the loop, decoding all pixels of a large photo",
}  # fmt: skip
AIM = 1.10
_CLASSPATH = REPOSITORY / "build" / "android" / "edgekd-benchmark" / "classpath"

Values = dict[str, dict[str, list[float]]]
"""A value for each round, by what is measured (a size, or `open`) and contestant."""


def main(arguments: list[str] | None = None) -> int:
    """Build, measure; print tables, write the files."""
    options = _options(arguments)

    def work() -> None:
        result = _result(options)
        publish(markdown(result), plain(result), markdown=options.markdown, json=options.json)

    return exit_code_of(work)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bundle", type=Path, required=True, help=".edgekd file, for LiteRT")
    parser.add_argument("--images", type=Path, help="dermoscopic JPEGs; painted ones otherwise")
    parser.add_argument("--rounds", type=int, default=5, help="processes of each contestant")
    parser.add_argument("--seconds", type=int, default=4, help="measured in each, after as many")
    parser.add_argument("--json", type=Path, help="file for the result")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    return parser.parse_args(arguments)


def _result(options: argparse.Namespace) -> dict[str, Any]:
    with Bundle.open(options.bundle) as bundle:
        lowering, model = bundle.manifest.lowering, bundle.manifest.model
    if lowering.backend != "tflite" or not options.bundle.is_file():
        message = f"{options.bundle} is no .edgekd file for LiteRT"
        raise InputError(message, "build one: edgekd build --target android --zip")
    with tempfile.TemporaryDirectory(prefix="edgekd-jmh-") as name:
        folder = Path(name)
        java = [*_java(), f"-Dedgekd.benchmark={folder}"]
        shutil.copy(options.bundle, folder / "model.edgekd")
        photos = make_photos(folder, 3, options.images, SIZES)
        before, began = os.getloadavg(), processor_seconds()
        measured = _measured(java, folder, options)
        ended = processor_seconds()
        sizes = {size: [one.path.stat().st_size for one in made] for size, made in photos.items()}
    return {
        "revision": revision(),
        "machine": local_facts(),
        "cores": len(os.sched_getaffinity(0)),
        "load": {"before": before, "other_share": other_share(began, ended)},
        "bundle": {
            "model": model.name, "image_size": model.image_size, "precision": lowering.precision,
        },
        "photos": {"source": options.images.name if options.images else "painted", "bytes": sizes},
        "rounds": options.rounds,
        **measured,
    }  # fmt: skip


def _java() -> list[str]:
    """The command that runs the built module."""
    if shutil.which("java") is None or not _CLASSPATH.is_file():
        raise MissingDependencyError(
            "java", "", "run the benchmark",
            message="the benchmark is not built, or there is no java; it takes JDK 17 and Maven",
            hint="run `make android-benchmark`",
        )  # fmt: skip
    spec = find_spec("ai_edge_litert")
    if spec is None or spec.origin is None:
        raise MissingDependencyError("ai-edge-litert", "tflite", "run LiteRT on the JVM")
    library = Path(spec.origin).parent / "libLiteRt.so"
    classpath = _CLASSPATH.read_text(encoding="utf-8")
    return ["java", "-Xmx256m", f"-Dedgekd.litert.library={library}", "-cp", classpath]


def _measured(java: Sequence[str], folder: Path, options: argparse.Namespace) -> dict[str, Values]:
    names = ("ms", "allocated_bytes", "peak_bytes")
    values: dict[str, Values] = {name: defaultdict(lambda: defaultdict(list)) for name in names}
    for round_ in range(options.rounds):
        say(f"round {round_ + 1} of {options.rounds}")
        out = folder / "out.json"
        command = [
            *java, "org.openjdk.jmh.Main", "-bm", "sample", "-f", "1", "-foe", "true",
            "-wi", str(options.seconds), "-i", str(options.seconds), "-r", "1", "-w", "1",
            "-prof", "gc", "-prof", "edgekd.benchmark.PeakMemory", "-rf", "json", "-rff", str(out),
        ]  # fmt: skip
        done = subprocess.run([*command, "edgekd.benchmark"], capture_output=True, text=True)
        if done.returncode or not out.is_file():
            reason = (done.stdout + done.stderr).strip().splitlines() or ["no output"]
            raise ArtefactError(f"JMH fails: {reason[-1][:300]}", "run `make android`")
        for entry in json.loads(out.read_text(encoding="utf-8")):
            for name, value in read(entry).items():
                what = entry["params"].get("photo", "open").replace("x", "×")
                values[name][what][entry["params"]["contestant"]].append(value)
    return values


def read(entry: Mapping[str, Any]) -> dict[str, float]:
    """Median time, bytes allocated for each decision, and peak memory, of one JMH result."""
    secondary = entry["secondaryMetrics"]
    return {
        "ms": entry["primaryMetric"]["scorePercentiles"]["50.0"],
        "allocated_bytes": secondary["gc.alloc.rate.norm"]["score"],
        "peak_bytes": secondary["peak memory"]["score"],
    }


def ratio(rounds: Mapping[str, Sequence[float]], name: str) -> Spread:
    """How many times the loop's value, round by round."""
    return Spread.of([a / b for a, b in zip(rounds[name], rounds[LOOP], strict=True)])


def markdown(result: Mapping[str, Any]) -> str:
    """The result as a table, with what it needs to be understood."""
    machine, bundle, load = result["machine"], result["bundle"], result["load"]
    share = load["other_share"]
    kinds = " | ".join(f"{what} ms | × loop | MB | kB" for what in result["ms"])
    columns = 1 + 4 * len(result["ms"])
    lines = [
        f"{bundle['model']} {bundle['image_size']} px, LiteRT {bundle['precision']}. "
        f"{machine.get('cpu')}, {result['cores']} of {os.cpu_count()} cores; edgekd "
        f"{machine['edgekd']}, revision {result['revision']}. Other processes took "
        f"{'an unknown share' if share is None else f'{share:.0%}'} of the processors meanwhile.",
        "",
        f"| | {kinds} |",
        "|---|" + "---:|" * (columns - 1),
    ]
    for name in ROWS:
        cells = [cell for what in result["ms"] for cell in _cells(result, what, name)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        "",
        f"Medians; in brackets the least and the most of {result['rounds']} processes. MB: peak of "
        "the process's resident memory, with a heap of at most 256 MB. kB: allocated on the heap "
        "for each decision or opening.",
        "",
        *(f"- {name}: {what}." for name, what in ROWS.items()),
    ]
    for what, rounds in result["ms"].items():
        if what != "open":
            found = ratio(rounds, "edgekd")
            met = "met" if found.median <= AIM else "**not met**"
            lines.append(f"- {what}: the aim of ≤ {AIM:.2f} × the loop is {met}: {found}.")
    return "\n".join(lines) + "\n"


def _cells(result: Mapping[str, Any], what: str, name: str) -> list[str]:
    rounds = result["ms"][what]
    if name not in rounds:
        return ["–"] * 4
    ms, peak, allocated = (
        Spread.of(result[key][what][name]).median for key in ("ms", "peak_bytes", "allocated_bytes")
    )
    return [f"{ms:.2f}", str(ratio(rounds, name)), f"{peak / 1e6:.0f}", f"{allocated / 1e3:.0f}"]


if __name__ == "__main__":
    sys.exit(main())
