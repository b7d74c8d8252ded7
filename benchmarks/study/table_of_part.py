"""Write the images of a part of the study's split as a table that `certify` and `eval` read.

python benchmarks/study/table_of_part.py validation --data DIR > validation.csv
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

from design import HERE

from edgekd.cli.console import exit_code_of
from edgekd.data import load_dataset, split_dataset
from edgekd.data.part_names import PARTS
from edgekd.recipe import load_recipe


def main(arguments: list[str] | None = None) -> int:
    """Write the table to stdout: a line for each image, with its diagnosis and its lesion."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--data", type=Path, required=True, help="folder of ham10000_lesions_224")
    parser.add_argument("--recipe", default=str(HERE / "recipes" / "student.yaml"))
    options = parser.parse_args(arguments)
    return exit_code_of(lambda: _write(options), "write the table")


def _write(options: argparse.Namespace) -> None:
    recipe = load_recipe(options.recipe)
    dataset = load_dataset({**recipe.data, "root": str(options.data)}, recipe.task)
    split = split_dataset(dataset, recipe.split)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("image", "dx", "lesion"))
    for index in split.indices(options.part):
        sample = dataset.samples[index]
        writer.writerow((sample.image, sample.label, sample.group))


if __name__ == "__main__":
    sys.exit(main())
