"""Ship a finished run's student in the package: `python benchmarks/study/ship.py RUN --name NAME`.

Rounds the weights to float16 where they are larger than 10 MB, builds and judges the bundles on the
run's own images, records ranges and certificates, and builds every certified file again without any
image before the student is put into edgekd/students/. It refuses a student whose files do not pass
their gate or a floor of the policy (exit 4).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

STUDENTS = Path(__file__).resolve().parents[2] / "edgekd" / "students"


def main(arguments: list[str] | None = None) -> int:
    from edgekd.cli.console import exit_code_of

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="finished run, or its student's checkpoint")
    parser.add_argument("--name", required=True, help="name of the shipped student")
    parser.add_argument("--work", type=Path, help="for its bundles; by default RUN/shipped-NAME")
    parser.add_argument("--bundles", type=Path, dest="work", help="another name of --work")
    parser.add_argument("--out", type=Path, default=STUDENTS, help="folder of shipped students")
    parser.add_argument("--target", default="all", help="targets whose files are certified")
    parser.add_argument("--precision", default="", help="certify these too, e.g. fp32,int8")
    parser.add_argument("--policy", help="instead of the one that the run remembers")
    parser.add_argument("--data-root", type=Path, help="where the run's images are now")
    parser.add_argument("--calibration-images", type=int, default=512)
    options = parser.parse_args(arguments)
    return exit_code_of(lambda: _ship(options), "ship a student")


def _ship(options: argparse.Namespace) -> None:
    from edgekd.cli.console import say
    from edgekd.lower.progress import LineReporter
    from edgekd.lower.shipped.packing import pack_student
    from edgekd.lower.shipped.shipment import Shipment
    from edgekd.targets import resolve_targets

    pack_student(
        Shipment(
            run=options.run,
            name=options.name,
            out=options.out,
            work=options.work or options.run / f"shipped-{options.name}",
            targets=resolve_targets(options.target),
            policy=options.policy,
            precisions=tuple(filter(None, options.precision.split(","))),
            data_root=options.data_root,
            calibration_images=options.calibration_images,
            observer=LineReporter(say),
            say=say,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
