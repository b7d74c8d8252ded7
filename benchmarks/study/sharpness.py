"""Whether a network takes the sharpness of an image for a sign of its class.

python benchmarks/study/sharpness.py CHECKPOINT … --data DIR --coarse DIR [--label mel]

Each network answers the validation images twice: as they are in DATA, and the very same photographs
as they are in COARSE, with fewer pixels. What it answers may depend on detail that is lost, but a
network that was trained on images of both kinds should not find a class more often in the coarse
ones. Prints a table in Markdown: the share of images that are answered as that class, its
sensitivity, and balanced accuracy.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from images import class_index, options_of, read_split
from layout import head
from records import Judged, scores_of
from summaries import spread_of

from edgekd.cli.console import exit_code_of
from edgekd.data.dataset import Dataset
from edgekd.data.decoded import decode_images
from edgekd.distill.comparison.comparison_table import percent
from edgekd.errors import InputError
from edgekd.models import load_checkpoint, logits_of

COLUMNS = ("network", "images", "answered as {}", "sensitivity of {}", "balanced accuracy")


def main(arguments: list[str] | None = None) -> int:
    """Print a line for each network and kind of image."""
    options = _options(arguments)
    return exit_code_of(lambda: _print(options), "compare the images")


def _print(options: argparse.Namespace) -> None:
    split = read_split(options.recipe, options.data)
    dataset, validation = split.dataset, split.indices("validation")
    label = class_index(dataset, options.label)
    fine = dataset.paths(validation)
    coarse = _same(fine, read_split(options.recipe, options.coarse).dataset)
    targets = dataset.targets()[validation]
    networks = {str(folder): load_checkpoint(folder) for folder in options.checkpoints}
    print(*head([column.format(options.label) for column in COLUMNS]), sep="\n")
    for name, checkpoint in networks.items():
        for kind, paths in (("fine", fine), ("coarse", coarse)):
            images = decode_images(paths, checkpoint.card.image_size)
            outputs = logits_of(checkpoint.normalised(classes=dataset.classes), images)
            scores = scores_of(Judged.of(outputs, targets, validation), dataset.classes)
            answered = float(np.mean(outputs.argmax(axis=1) == label))
            values = (answered, scores.sensitivity[options.label], scores.balanced_accuracy)
            figures = [percent(spread_of([value])) for value in values]
            print(f"| {' | '.join((name, kind, *figures))} |", flush=True)


def _same(paths: Sequence[Path], dataset: Dataset) -> list[Path]:
    """The images of the same names in another data set."""
    by_name = {path.stem: path for path in dataset.paths()}
    missing = [path.stem for path in paths if path.stem not in by_name]
    if missing:
        message = f"{dataset.root} lacks {missing[0]} and {len(missing) - 1} more of the images"
        raise InputError(message, "give the folder of the same photographs with fewer pixels")
    return [by_name[path.stem] for path in paths]


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = options_of(__doc__)
    parser.add_argument("checkpoints", type=Path, nargs="+", metavar="CHECKPOINT")
    parser.add_argument("--coarse", type=Path, required=True, help="folder of the whole HAM10000")
    parser.add_argument("--label", default="mel", help="the class that is counted")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
