"""`edgekd compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekd.cli.console import emit_json, is_main_process, say, ticker
from edgekd.cli.options import Continuation, Force, Log, Quiet, Resume, Set
from edgekd.cli.output import output_of, training_output
from edgekd.cli.places import STDOUT, Reads, Writes
from edgekd.cli.recipes import read_recipe
from edgekd.cli.trusting import TrustCode, trust_recipe
from edgekd.errors import InputError

if TYPE_CHECKING:
    from edgekd.distill.comparison.comparison import Comparison
    from edgekd.recipe import Recipe

__all__ = ["compare"]

_SEEDS = "0,1,2"
_LARGEST_SEED = 2**32 - 1  # the largest that NumPy accepts


def compare(
    recipes: Annotated[
        list[str] | None,
        Reads.RECIPE,
        typer.Argument(
            metavar="RECIPE…",
            help="One recipe for each method; they may differ in name, seed and method alone.",
        ),
    ] = None,
    out: Annotated[
        Path | None, Writes.FOLDER, typer.Option("--out", help="Folder of the runs.")
    ] = None,
    seeds: Annotated[
        str,
        typer.Option(
            help=f"Seeds, with commas; by default {_SEEDS}. Three are the least that tell much: "
            "of two the intervals are very wide, of one there are none.",
            show_default=False,
        ),
    ] = "",
    folds: Annotated[
        int, typer.Option(help="Cross-validate in so many folds; 0 takes the recipes' test part.")
    ] = 0,
    resume: Resume = Continuation.auto,
    force: Force = False,
    overrides: Set = None,
    trust_code: TrustCode = False,
    predictions: Annotated[
        Path | None,
        Reads.PREDICTIONS,
        typer.Option(
            "--from",
            metavar="DIR",
            help="Train nothing: make the table from the predictions in the --out of an earlier "
            "comparison.",
        ),
    ] = None,
    json: Annotated[
        Path | None,
        Writes.FILE,
        typer.Option("--json", help="File for the table; - is stdout."),
    ] = None,
    markdown: Annotated[
        Path | None, Writes.FILE, typer.Option(help="File for the table as Markdown.")
    ] = None,
    quiet: Quiet = False,
    log: Log = None,
) -> None:
    """Compare methods with the undistilled student over the same data, split and seeds.

    Finished trainings are reused, so that an interrupted comparison continues where it stopped.
    The predictions of all students for the test images are stored in OUT/predictions.npz. The table
    has figures of the test part: to report them, not to choose by them.
    """
    if predictions is not None and (recipes or out or seeds or folds or overrides or force):
        message = "--from takes no recipes and no --out, --seeds, --folds, --set or --force"
        raise InputError(message, "give --from DIR alone, with --json or --markdown")
    with output_of(quiet, log):
        if predictions is None:
            loaded = [read_recipe(name, overrides) for name in recipes or []]
            for each in loaded:
                trust_recipe(each, trusted=trust_code)
            comparison = _trained(loaded, out, seeds, folds, resume, force)
        else:
            comparison = _from_predictions(predictions)
        if is_main_process():
            _publish(comparison, json, markdown)


def _trained(
    loaded: list[Recipe],
    out: Path | None,
    seeds: str,
    folds: int,
    resume: Continuation,
    force: bool,
) -> Comparison:
    if not loaded or out is None:
        raise InputError("recipes and --out are needed", "or --from DIR for a table made before")
    numbers, parts = _seeds(seeds or _SEEDS), _folds(folds)
    from edgekd.distill.comparison import compare as comparing

    request = comparing.CompareRequest(
        loaded,
        numbers,
        out,
        say,
        ticker("images"),
        parts,
        resume == Continuation.auto,
        force,
        training_output(),
    )
    return comparing.compare(request)


def _from_predictions(file: Path) -> Comparison:
    from edgekd.distill.comparison.comparison import comparison_of
    from edgekd.distill.comparison.predictions import Predictions

    return comparison_of(Predictions.load(file))


def _publish(comparison: Comparison, json: Path | None, markdown: Path | None) -> None:
    from edgekd.distill.comparison import comparison_table
    from edgekd.files import write_atomically

    text = comparison_table.markdown(comparison)
    if markdown is not None:
        write_atomically(markdown, text)
        say(f"wrote {markdown}")
    if json is not None:
        emit_json(comparison, None if json == STDOUT else json)
    say("figures of the test part: to report, not to choose by")
    if json != STDOUT:
        print(text, end="")


def _seeds(text: str) -> list[int]:
    try:
        seeds = [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--seeds {text} are no whole numbers", "write e.g. 0,1,2") from None
    if not all(0 <= seed <= _LARGEST_SEED for seed in seeds):
        raise InputError(f"--seeds {text} are no seeds", f"give numbers of 0 to {_LARGEST_SEED}")
    if len(set(seeds)) != len(seeds):
        raise InputError(f"--seeds {text} name one twice", "give each seed once")
    return seeds


def _folds(count: int) -> int:
    if count != 0 and count < 2:
        raise InputError(f"--folds {count} are none", "give 2 or more")
    return count
