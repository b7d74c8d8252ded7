"""`edgekd demo`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.console import report_error, say, ticker
from edgekd.cli.places import Writes
from edgekd.errors import EdgekdError

__all__ = ["demo", "make_demo"]


def demo(
    out: Annotated[Path, Writes.FOLDER, typer.Option(help="Folder of the run.")] = Path(
        "runs/demo"
    ),
) -> None:
    """The whole chain on synthetic dermoscopy: teacher, student, every target, the report."""
    from edgekd.bench.report import check_page, print_table, write_page
    from edgekd.bench.result.file import write_result
    from edgekd.bench.run.harness import run_benchmark
    from edgekd.bench.run.request import BenchRequest
    from edgekd.bench.subjects.run_folder import subjects_of_run

    check_page()  # before the minutes of training and lowering
    error = make_demo(out)
    say("4/4  measure everything beside the teacher")
    subjects = subjects_of_run(out)
    request = BenchRequest(
        device="cpu",
        data=subjects.data,
        bundles=subjects.bundles,
        teacher=subjects.teacher,
        student=subjects.student,
        preset="rapid",
        command=f"edgekd demo --out {out}",
    )
    result = run_benchmark(request)
    write_result(out / "report.json", result)
    write_page([result], out / "report.html", images=subjects.data.find)
    print_table(result)
    print(f"{out / 'report.html'}")
    if error is not None:
        raise typer.Exit(error.exit_code)


def make_demo(out: Path) -> EdgekdError | None:
    """Train, distil and build the demo; finished parts are reused.

    Returns:
        The worst error of the targets without a bundle; None where each target has one.

    Raises:
        EdgekdError: No target has a bundle.
    """
    from edgekd.cli.build_table import build_observer
    from edgekd.data import load_dataset
    from edgekd.distill.runs import pipeline
    from edgekd.lower.build import build_all, worst_of
    from edgekd.lower.plan import BuildRequest
    from edgekd.recipe import load_recipe
    from edgekd.targets import resolve_targets

    start = time.perf_counter()
    recipe = load_recipe("demo", [f"data.root={out / 'data'}"])
    say("1/4  paint synthetic dermoscopy")
    load_dataset(recipe.data, recipe.task)
    say("2/4  train the teacher, distil the student")
    pipeline.distill(pipeline.RunRequest(recipe, out, say, ticker("images")))
    say("3/4  lower to every target")
    targets = resolve_targets("all")
    with build_observer() as observer:
        built = build_all(BuildRequest(out, targets, out / "bundles", observer=observer))
    worst = worst_of(built)
    if worst is not None and not any(bundle.passed for bundle in built):
        raise worst
    for error in dict.fromkeys(bundle.error for bundle in built):
        if error is not None:
            report_error(error)  # the other targets are measured
    say(f"     built after {time.perf_counter() - start:.0f} s")
    return worst
