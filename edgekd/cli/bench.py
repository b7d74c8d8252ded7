"""`edgekd bench`, which `benchmarks/run.py` calls."""

from __future__ import annotations

import shlex
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.console import say
from edgekd.errors import InputError

__all__ = ["Preset", "bench"]

_DEMO = Path("runs/demo")


class Preset(str, Enum):
    """How long to measure; `smoke` only shows that the chain works."""

    smoke = "smoke"
    rapid = "rapid"
    quick = "quick"
    normal = "normal"


def bench(
    device: Annotated[str, typer.Option(help="cpu, rpi, android or jetson.")],
    bundle: Annotated[
        list[Path] | None, typer.Option(help="Bundles; by default those of the run.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Folder of a run: its teacher, student, bundles, test part.")
    ] = None,
    preset: Annotated[Preset, typer.Option(help="How long to measure.")] = Preset.quick,
    limit: Annotated[int | None, typer.Option(help="At most so many test images.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of the engines.")] = None,
    data_root: Annotated[
        Path | None, typer.Option(help="Where the run's images are now, if they moved.")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="File for the result.")] = None,
    html: Annotated[Path | None, typer.Option(help="File for the page.")] = None,
) -> None:
    """Measure teacher, student and bundles on a device, beside one another."""
    from edgekd.bench.devices import check_device
    from edgekd.bench.report import print_table, write_page
    from edgekd.bench.request import BenchRequest
    from edgekd.bench.run import run_benchmark
    from edgekd.bench.run_folder import subjects_of_run
    from edgekd.bench.schema import write_result

    check_device(device)  # before a demo of minutes is made for it
    folder = run or _default_run(bundle)
    subjects = subjects_of_run(folder, data_root)
    request = BenchRequest(
        device=device,
        data=subjects.data,
        bundles=bundle or subjects.bundles_for(device),
        teacher=subjects.teacher,
        student=subjects.student,
        preset=preset.value,
        threads=threads,
        limit=limit,
        command=shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    )
    result = run_benchmark(request)
    print_table(result)
    if json is not None:
        write_result(json, result)
        say(f"wrote {json}")
    if html is not None:
        write_page([result], html)
        say(f"wrote {html}")


def _default_run(bundles: list[Path] | None) -> Path:
    """The run that the bundles stand in, or the demo, which is made where there is none."""
    for bundle in bundles or []:
        for folder in bundle.resolve().parents:
            if (folder / "student" / "model.json").is_file():
                return folder
    if bundles:
        message = f"{bundles[0]} does not stand in the folder of a run"
        raise InputError(message, "give the run's folder with --run")
    if not (_DEMO / "student" / "model.json").is_file():
        say("there is no run to measure yet: making the demo first (some minutes)")
        from edgekd.cli.demo import make_demo

        make_demo(_DEMO)
    return _DEMO
