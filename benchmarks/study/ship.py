"""Ship a finished run's student in the package, so that `edgekd build --model NAME` needs no data.

1. The weights are rounded to float16 where they are larger than 10 MB, and the student that they
   compute is measured again.
2. Each floor of the policy is reported with what the float student reaches, before anything is
   lowered. One that is not met ends the command (exit 4); --check ends it here in any case.
3. The bundles are built and judged on the run's own images, as by `edgekd build`.
4. Ranges, certificates, painted images and the card are written, and every certified file is built
   again from these alone, in a new process without images.
5. Only then the student is put into edgekd/students/NAME, in place of an earlier one: commit it.

What was lowered is kept in the cache: the same command, with fewer targets or another --precision,
goes on from there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

STUDENTS = Path(__file__).resolve().parents[2] / "edgekd" / "students"

EXAMPLES = """examples:
  python benchmarks/study/ship.py runs/study/main/lite0 --name ham10000-student --check
  python benchmarks/study/ship.py runs/study/main/lite0 --name ham10000-student --precision fp32
  edgekd students ham10000-student
"""


def main(arguments: list[str] | None = None) -> int:
    from edgekd.cli.console import exit_code_of

    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="finished run, or its student's checkpoint")
    parser.add_argument("--name", required=True, help="name of the shipped student")
    parser.add_argument(
        "--check", action="store_true", help="measure size and floors alone, and write no student"
    )
    parser.add_argument("--work", type=Path, help="for its bundles; by default RUN/shipped-NAME")
    parser.add_argument("--out", type=Path, default=STUDENTS, help="folder of shipped students")
    parser.add_argument(
        "--target", default="all", help="targets whose files are certified, with commas"
    )
    parser.add_argument(
        "--precision", default="",
        help="certify these too, with commas, where they pass (fp32: the safest to build again)",
    )  # fmt: skip
    parser.add_argument("--policy", help="instead of the one that the run remembers")
    parser.add_argument(
        "--teacher", type=Path, metavar="DIR",
        help="compare with this one, of several that taught the student",
    )  # fmt: skip
    parser.add_argument("--data-root", type=Path, help="where the run's images are now")
    parser.add_argument("--calibration-images", type=int, default=512)
    options = parser.parse_args(arguments)
    return exit_code_of(lambda: _ship(options), "ship a student")


def _ship(options: argparse.Namespace) -> None:
    from edgekd.cli.console import say
    from edgekd.lower.progress import LineReporter
    from edgekd.lower.shipped.packing import check_student, pack_student
    from edgekd.lower.shipped.shipment import Shipment
    from edgekd.targets import resolve_targets

    shipment = Shipment(
        run=options.run,
        name=options.name,
        out=options.out,
        work=options.work or options.run / f"shipped-{options.name}",
        targets=resolve_targets(options.target),
        policy=options.policy,
        precisions=tuple(filter(None, options.precision.split(","))),
        teacher=options.teacher,
        data_root=options.data_root,
        calibration_images=options.calibration_images,
        observer=LineReporter(say),
        say=say,
    )
    if options.check:
        check_student(shipment)
    else:
        pack_student(shipment)


if __name__ == "__main__":
    sys.exit(main())
