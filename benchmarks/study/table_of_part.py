"""Write the images of a part of the study's split as a table that `certify` and `eval` read.

python benchmarks/study/table_of_part.py validation --data DIR > validation.csv
"""

from __future__ import annotations

import argparse
import csv
import sys

from images import options_of, read_split

from edgekd.cli.console import exit_code_of
from edgekd.data.part_names import PARTS


def main(arguments: list[str] | None = None) -> int:
    """Write the table to stdout: a line for each image, with its diagnosis and its lesion."""
    parser = options_of(__doc__)
    parser.add_argument("part", choices=PARTS)
    options = parser.parse_args(arguments)
    return exit_code_of(lambda: _write(options), "write the table")


def _write(options: argparse.Namespace) -> None:
    split = read_split(options.recipe, options.data)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("image", "dx", "lesion"))
    for index in split.indices(options.part):
        sample = split.dataset.samples[index]
        writer.writerow((sample.image, sample.label, sample.group))


if __name__ == "__main__":
    sys.exit(main())
