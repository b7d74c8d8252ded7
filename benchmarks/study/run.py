"""Train what a table of the study needs, and record what came out.

python benchmarks/study/run.py TABLE --data DIR [--only ROW …] [--seeds N …] [--dry-run]

Every run is an ordinary one of `edgekd train` or `edgekd distill` in OUT/TABLE/ROW-seedN: stopped
by a signal or a power cut, it goes on with the same command. Teachers are trained once, in
OUT/teachers, and shared, as are the cached outputs of teachers. A finished run leaves a small
record in benchmarks/study/results, which stands for it on any machine, also where OUT is gone.
`python benchmarks/study/tables.py` makes docs/results.md of the records.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from design import HERE, Job, read_design
from records import RESULTS
from trainings import Place, Study

from edgekd.cli.console import exit_code_of, report_error, say
from edgekd.errors import EdgekdError, InputError, StoppedError


def main(arguments: list[str] | None = None) -> int:
    """Make the runs of a table, row by row, seed by seed."""
    options = _options(arguments)
    return exit_code_of(lambda: _run(options), "run the study")


def _run(options: argparse.Namespace) -> int:
    jobs = list(read_design(options.design).jobs(options.table, options.only, options.seeds))
    study = Study(_place(options), say)
    if options.dry_run:
        for job in jobs:
            print(f"{job.table}/{job.name}: {study.state(job)}")
        return 0
    return max((_finished(study, job, keep=options.keep) for job in jobs), default=0)


def _finished(study: Study, job: Job, *, keep: bool) -> int:
    """Finish a run; an error of one does not end the night of the others."""
    try:
        study.finish(job)
        if keep and job.kind != "average":
            study.keep(job)
    except StoppedError:
        raise
    except EdgekdError as error:
        say(f"{job.table}/{job.name} was not finished:")
        report_error(error)
        return error.exit_code
    return 0


def _place(options: argparse.Namespace) -> Place:
    if not options.data.is_dir():
        raise InputError(f"there is no folder {options.data}", "give that of the images as --data")
    weights = options.weights or options.data.parent / "weights"
    return Place(options.data, weights, options.out, options.results, options.threads)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    summary, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", metavar="TABLE", help="a file of benchmarks/study/tables")
    parser.add_argument("--data", type=Path, required=True, help="folder of ham10000_lesions_224")
    parser.add_argument("--weights", type=Path, help="folder of weights that recipes name")
    parser.add_argument("--out", type=Path, default=Path("runs/study"), help="folder of the runs")
    parser.add_argument("--only", metavar="ROW", nargs="+", default=[], help="these rows alone")
    parser.add_argument("--seeds", metavar="N", nargs="+", type=int, default=[])
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 for all cores")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the records")
    parser.add_argument("--design", type=Path, default=HERE, help="folder of tables and recipes")
    parser.add_argument(
        "--keep", action="store_true",
        help="keep the rows' networks beside their records, so that they teach without training",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="list the runs and their state")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
