"""What larger images, or several views of each, would bring to a trained network.

python benchmarks/study/inference.py CHECKPOINT --data DIR [--sizes 160,192] [--views 1,4]

Nothing is trained: the network answers the validation images at each size, once as they are and
once as the average logits of their views (mirrored; turned by quarters; both). More pixels and more
views cost a device computation: the last column says how many times that of one image at the
network's own size. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import sys

from images import class_index, options_of, read_split
from layout import head
from records import Judged, scores_of
from summaries import spread_of

from edgekd.cli.console import exit_code_of
from edgekd.data.decoded import decode_images
from edgekd.distill.comparison.comparison_table import percent
from edgekd.distill.teachers.averaged import TurnedViews
from edgekd.distill.teachers.averaging import mean_logits
from edgekd.models import load_checkpoint, logits_of
from edgekd.resources import checkpoint_place

COLUMNS = (
    "pixels",
    "views",
    "balanced accuracy",
    "sensitivity of {}",
    "AUROC of {}",
    "macro AUROC",
    "× computation",
)
VIEWS = (1, 2, 4, 8)


def main(arguments: list[str] | None = None) -> int:
    """Print a line for each size and number of views."""
    options = _options(arguments)
    return exit_code_of(lambda: _print(options), "judge the network")


def _print(options: argparse.Namespace) -> None:
    split = read_split(options.recipe, options.data)
    dataset, validation = split.dataset, split.indices("validation")
    class_index(dataset, options.label)
    checkpoint = load_checkpoint(checkpoint_place(options.checkpoint))
    own = checkpoint.card.image_size
    network = checkpoint.normalised(classes=dataset.classes)
    targets = dataset.targets()[validation]
    print(*head([column.format(options.label) for column in COLUMNS]), sep="\n")
    for size in options.sizes or (own,):
        images = decode_images(dataset.paths(validation), size)
        for views in options.views:
            outputs = logits_of(TurnedViews(network, views, mean_logits), images)
            scores = scores_of(Judged.of(outputs, targets, validation), dataset.classes)
            values = (
                scores.balanced_accuracy,
                scores.sensitivity[options.label],
                scores.auroc[options.label],
                scores.macro_auroc,
            )
            figures = [percent(spread_of([value])) for value in values]
            cost = f"{views * (size / own) ** 2:.1f}"
            print(f"| {' | '.join((str(size), str(views), *figures, cost))} |", flush=True)


def _sizes(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        message = f"{text!r}: sizes in pixels are expected, such as 160,192"
        raise argparse.ArgumentTypeError(message)
    return tuple(map(int, parts))


def _views(text: str) -> tuple[int, ...]:
    numbers = {str(views): views for views in VIEWS}
    parts = [part.strip() for part in text.split(",")]
    if not set(parts) <= set(numbers):
        message = f"{text!r}: 1, 2, 4 and 8 are possible"
        raise argparse.ArgumentTypeError(message)
    return tuple(numbers[part] for part in parts)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = options_of(__doc__)
    parser.add_argument(
        "checkpoint", metavar="CHECKPOINT", help="its folder, or a student that ships"
    )
    parser.add_argument("--sizes", type=_sizes, help="sizes in pixels (default: its own)")
    parser.add_argument("--views", type=_views, default=VIEWS, help="numbers of views (1,2,4,8)")
    parser.add_argument("--label", default="mel", help="the class that has columns of its own")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
