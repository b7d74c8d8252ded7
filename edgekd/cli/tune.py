"""`edgekd tune`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from edgekd.cli.console import emit_json, say, ticker
from edgekd.cli.options import Json, RecipeName, Set
from edgekd.cli.places import Reads, Writes
from edgekd.cli.recipes import read_recipe
from edgekd.cli.trusting import TrustCode, trust_recipe

__all__ = ["CostName", "PruningName", "tune"]


class CostName(str, Enum):
    """The second objective; `none` searches for quality alone."""

    macs = "macs"
    params = "params"
    latency = "latency"
    none = "none"


class PruningName(str, Enum):
    """How hopeless trials are ended early, with a single objective."""

    median = "median"
    hyperband = "hyperband"
    none = "none"


def tune(
    recipe: RecipeName,
    space: Annotated[
        str,
        Reads.SPACE,
        typer.Option(
            metavar="FILE|NAME",
            help="The search space: a YAML file of the recipe's keys and their domains, or the "
            "name of a shipped one (`demo`).",
        ),
    ],
    trials: Annotated[
        int, typer.Option(help="Trials of the whole search; more continue a finished one.")
    ] = 20,
    workers: Annotated[int, typer.Option(help="Processes on this machine.")] = 1,
    cost: Annotated[
        CostName,
        typer.Option(help="The second objective; none searches for quality alone, with pruning."),
    ] = CostName.macs,
    device: Annotated[
        str,
        typer.Option(help="Where --cost latency is measured: local, or as in `edgekd bench`."),
    ] = "local",
    lowered: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help="Score the int8 file for this target, on the validation part and under the "
            "policy's gate, instead of the float student.",
        ),
    ] = None,
    pruning: Annotated[
        PruningName, typer.Option(help="How --cost none ends hopeless trials early.")
    ] = PruningName.median,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampler.")] = 0,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A database that several machines search together with, e.g. "
            "postgresql://user:password@host/name; by default a file in --out.",
        ),
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(help="Name of the study in the database; by default the recipe's."),
    ] = None,
    overrides: Set = None,
    trust_code: TrustCode = False,
    out: Annotated[
        Path,
        Writes.FOLDER,
        typer.Option("--out", help="Folder of the search; a started one continues."),
    ] = Path("runs/tune"),
    json: Json = False,
) -> None:
    """Search for better recipes: validation score against cost, with workers side by side.

    Writes OUT/front.json, OUT/front.svg and OUT/recipes/1.yaml …, which `edgekd distill` takes. The
    teacher is trained once. A search that was interrupted, or whose workers were killed, continues.

    Exit codes: 0 done; 2 wrong input, or no trial succeeds; 3 a package is missing; 5 the device
    gives no time; 130 after Ctrl-C.
    """
    from edgekd.tune.space import load_space

    loaded = read_recipe(recipe, overrides)
    trust_recipe(loaded, trusted=trust_code)
    searched = load_space(space, loaded)
    from edgekd.tune import table, tuning

    request = tuning.TuneRequest(
        recipe=loaded,
        space=searched,
        out=out,
        trials=trials,
        workers=workers,
        cost=cost.value,
        lowered=lowered,
        device=device,
        pruning=pruning.value,
        seed=seed,
        storage=storage,
        study=study,
        say=say,
        tick=ticker("images"),
    )
    result = tuning.tune(request)
    if json:
        emit_json(result)
    else:
        print(table.table(result))
