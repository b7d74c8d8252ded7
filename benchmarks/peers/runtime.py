"""`edgekd.runtime` compared with what app developers would otherwise put together.

python benchmarks/peers/runtime.py --bundle BUNDLE --openvino-bundle BUNDLE \
    [--images FOLDER] [--json OUT] [--markdown OUT]

Every contestant runs in processes and in a virtual environment of its own (made by uv below
.edgekd-cache/peers, with pinned versions and compiled modules), on the same model file where it can
take it, with one thread. Measured are: a decision from JPEG bytes in memory, at 600×450, 4000×3000
and 6000×4000; the time from the start of the process to the first decision on a file; peak
memory. Contestants take turns, and ratios are taken within turns. Linux only.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from contest import ROWS, Player, Subject, players
from environments import Environments
from passes import QUICK, THOROUGH, Effort, Photos, cold_pass, memory_pass, speed_pass
from photos import NOISE, QUALITY, make_photos
from reports import REPOSITORY, plain, processor_seconds, revision
from summary import aims_of, cold_summary, memory_summary, speed_summary
from tables import markdown

from edgekd.bench.measure.load import other_share
from edgekd.bench.measure.machine import local_facts
from edgekd.cli.console import exit_code_of, publish, say
from edgekd.errors import InputError


def main(arguments: list[str] | None = None) -> int:
    """Install, measure; print tables, write the files."""
    options = _options(arguments)

    def work() -> None:
        result = _result(options)
        files = {"markdown": options.markdown, "json": options.json}
        publish(markdown(result), plain(result), **files)

    return exit_code_of(work)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, required=True, help="folder, LiteRT")
    parser.add_argument("--openvino-bundle", type=Path, help="folder, likewise, OpenVINO")
    parser.add_argument("--images", type=Path, help="dermoscopic JPEGs; painted ones otherwise")
    parser.add_argument("--json", type=Path, help="file for the result")
    parser.add_argument("--markdown", type=Path, help="file for the tables")
    parser.add_argument("--quick", action="store_true", help="shows that it works")
    parser.add_argument(
        "--here", action="store_true", help="this Python for all contestants: no measurement"
    )
    parser.add_argument(
        "--only", nargs="+", default=[], choices=[row.name for row in ROWS], metavar="NAME"
    )
    parser.add_argument(
        "--environments", type=Path, default=REPOSITORY / ".edgekd-cache" / "peers",
        help="folder for the contestants' environments",
    )  # fmt: skip
    return parser.parse_args(arguments)


def _result(options: argparse.Namespace) -> dict[str, Any]:
    effort = QUICK if options.quick else THOROUGH
    subjects = _subjects(options)
    environments = Environments(options.environments, here=options.here)
    with tempfile.TemporaryDirectory(prefix="edgekd-peers-") as folder:
        photos = make_photos(Path(folder), effort.photos, options.images)
        say("making the environments, starting each contestant once")
        first = next(iter(photos.values()))[0]
        ready, missing = players(environments, subjects, first, options.only)
        for name, reason in missing.items():
            say(f"{name}: {reason}")
        before, began = os.getloadavg(), processor_seconds()
        measured = _measured(ready, photos, effort)
        ended = processor_seconds()
        sizes = {size: _sizes(of_size) for size, of_size in photos.items()}
    return {
        "command": shlex.join(["python", "benchmarks/peers/runtime.py", *_shown(options)]),
        "revision": revision(),
        "machine": local_facts(),
        "load": {"before": before, "other_share": other_share(began, ended)},
        "effort": dataclasses.asdict(effort),
        "subjects": [subject.facts for subject in subjects],
        "photos": {"source": _source(options), "bytes": sizes},
        "environments": {
            name: environments.versions(name) for name in {one.row.environment for one in ready}
        },
        "missing": missing,
        **measured,
    }


def _measured(ready: Sequence[Player], photos: Photos, effort: Effort) -> dict[str, Any]:
    def of(name: str) -> list[Player]:
        return [player for player in ready if name in player.row.passes]

    times, labels = speed_pass(of("speed"), photos, effort)
    starts = cold_pass(of("cold"), photos, effort)
    peaks = memory_pass(of("memory"), photos, effort)
    speed, cold, memory = speed_summary(times), cold_summary(starts), memory_summary(peaks)
    return {
        "summary": {"speed": speed, "cold": cold, "memory": memory},
        "aims": aims_of(speed, cold, memory),
        "labels": labels,
        "speed_ms": times,
        "cold_ms": starts,
        "memory_bytes": peaks,
    }


def _subjects(options: argparse.Namespace) -> list[Subject]:
    given = {"tflite": options.bundle, "openvino": options.openvino_bundle}
    subjects = []
    for backend, folder in given.items():
        if folder is None:
            continue
        subject = Subject.of(folder)
        if subject.backend != backend:
            message = f"{folder} is for {subject.backend}, not {backend}"
            raise InputError(message, "give the folder of the other target")
        subjects.append(subject)
    return subjects


def _source(options: argparse.Namespace) -> str:
    origin = f"Images of {options.images.name}" if options.images else "Painted dermoscopy"
    return f"{origin}, enlarged, noise of {NOISE} grey levels, JPEG quality {QUALITY}, 4:2:0"


def _sizes(of_size: Sequence[Any]) -> list[int]:
    return [photo.path.stat().st_size for photo in of_size]


def _shown(options: argparse.Namespace) -> list[str]:
    """The command line without this machine's paths."""
    shown = ["--bundle", options.bundle.name]
    if options.openvino_bundle:
        shown += ["--openvino-bundle", options.openvino_bundle.name]
    if options.images:
        shown += ["--images", options.images.name]
    shown += [f"--{name}" for name in ("quick", "here") if getattr(options, name)]
    return [*shown, "--only", *options.only] if options.only else shown


if __name__ == "__main__":
    sys.exit(main())
