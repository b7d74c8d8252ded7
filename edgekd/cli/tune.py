"""`edgekd tune`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from edgekd.cli.console import emit_json, say, ticker
from edgekd.cli.options import Json, RecipeName, Set
from edgekd.cli.places import Reads, Writes
from edgekd.cli.recipes import read_recipe
from edgekd.cli.trusting import TrustCode, trust_recipe
from edgekd.errors import InputError

__all__ = ["CostName", "DataName", "PruningName", "SearchName", "tune"]


_TRIALS = 20


class CostName(str, Enum):
    """The second objective; `none` searches for quality alone."""

    macs = "macs"
    params = "params"
    latency = "latency"
    none = "none"


class SearchName(str, Enum):
    """How to search: trainings of recipes, or one supernet that holds all networks."""

    recipes = "recipes"
    supernet = "supernet"


class DataName(str, Enum):
    """The images of `--search supernet`: made of the teacher, or those of the recipe."""

    none = "none"
    recipe = "recipe"


class PruningName(str, Enum):
    """How hopeless trials are ended early, with a single objective."""

    median = "median"
    hyperband = "hyperband"
    none = "none"


def tune(
    recipe: RecipeName,
    space: Annotated[
        str | None,
        Reads.SPACE,
        typer.Option(
            metavar="FILE|NAME",
            help="The search space: a YAML file of the recipe's keys and their domains, or the "
            "name of a shipped one (`demo`). With --search supernet a file of stages and numbers; "
            "without one those of edgekd.",
        ),
    ] = None,
    search: Annotated[
        SearchName,
        typer.Option(
            help="recipes trains a student for each trial; supernet chooses the student's network "
            "by one that holds all of them."
        ),
    ] = SearchName.recipes,
    data: Annotated[
        DataName,
        typer.Option(
            help="Images of --search supernet: none makes them of the teacher, whose batch norm "
            "remembers its own; recipe takes those of the recipe."
        ),
    ] = DataName.recipe,
    max_macs: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="Most multiply-accumulates of an image, with --search supernet."
        ),
    ] = None,
    latency: Annotated[
        Path | None,
        Writes.FILE,
        typer.Option(
            metavar="TABLE",
            help="Table of latencies, with --search supernet: where it is missing, networks of the "
            "space are measured on --device, for --lowered TARGET.",
        ),
    ] = None,
    max_latency: Annotated[
        float | None,
        typer.Option(min=0.0, help="Most milliseconds of an image by the table of --latency."),
    ] = None,
    trials: Annotated[
        int, typer.Option(help="Trials of the whole search; more continue a finished one.")
    ] = _TRIALS,
    workers: Annotated[int, typer.Option(help="Processes on this machine.")] = 1,
    cost: Annotated[
        CostName,
        typer.Option(help="The second objective; none searches for quality alone, with pruning."),
    ] = CostName.macs,
    device: Annotated[
        str,
        typer.Option(
            help="Where --cost latency and a table of --latency are measured: local, or as in "
            "`edgekd bench`."
        ),
    ] = "local",
    lowered: Annotated[
        str | None,
        typer.Option(
            metavar="TARGET",
            help="Score the int8 file for this target, on the validation part and under the "
            "policy's gate, instead of the float student. With --latency: measure files for it.",
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

    With --search supernet: search for the student's network, with the recipe's images or with none
    but those that are made of its teacher. Writes OUT/winner.yaml, a recipe.

    Otherwise writes OUT/front.json, OUT/front.svg and OUT/recipes/1.yaml …, which `edgekd distill`
    takes. The teacher is trained once. A search that was interrupted, or whose workers were killed,
    continues.

    Exit codes: 0 done; 2 wrong input, or no trial succeeds; 3 a package is missing; 5 the device
    gives no time; 130 after Ctrl-C.
    """
    loaded = read_recipe(recipe, overrides)
    trust_recipe(loaded, trusted=trust_code)
    if search == SearchName.supernet:
        of_recipes = {
            "--trials": trials != _TRIALS, "--workers": workers != 1, "--storage": storage,
            "--study": study, "--cost": cost != CostName.macs,
            "--pruning": pruning != PruningName.median,
        }  # fmt: skip
        _refuse_options(of_recipes, SearchName.recipes)
        from edgekd.tune.supernet import search as supernet
        from edgekd.tune.supernet.plan import load_plan
        from edgekd.tune.supernet.report import supernet_table

        chosen = supernet.search(
            supernet.SupernetRequest(
                recipe=loaded,
                plan=load_plan(space),
                out=out,
                images="none" if data == DataName.none else "recipe",
                max_macs=max_macs,
                latency=latency,
                max_latency=max_latency,
                device=device,
                lowered=lowered,
                seed=seed,
                say=say,
                tick=ticker("images"),
            )
        )
        if json:
            emit_json(chosen)
        else:
            print(supernet_table(chosen))
        return
    of_supernet = {
        "--data": data != DataName.recipe, "--max-macs": max_macs is not None,
        "--latency": latency, "--max-latency": max_latency is not None,
    }  # fmt: skip
    _refuse_options(of_supernet, SearchName.supernet)
    if space is None:
        raise InputError("there is no search space", "give one with --space, such as demo")
    from edgekd.tune.space import load_space

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


def _refuse_options(options: dict[str, Any], of: SearchName) -> None:
    """Refuse the first option that has a value, all of which the other kind of search alone has."""
    for name in [name for name, value in options.items() if value]:
        message = f"{name} is an option of --search {of.value} alone"
        raise InputError(message, f"leave it out, or search with --search {of.value}")
