"""A student that is chosen without any image, against one chosen with images under the same MACs.

OMP_NUM_THREADS=1 python benchmarks/search_without_data.py --out runs/search-without-data

A teacher is trained on painted images. `edgekd tune --search supernet` chooses a network with
images that are made of that teacher (`--data none`), and again with the training images (`--data
recipe`). Both networks, and one that was drawn without any choice, are then trained in the same way
on labels of the real training images, with several seeds, and judged on test images that no search
has seen.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from markdown_tables import markdown_table
from numpy.typing import NDArray

from edgekd.cli.console import exit_code_of, publish, say
from edgekd.distill.runs.pipeline import RunRequest, distill, train
from edgekd.distill.samples.run_samples import RunSamples, load_samples
from edgekd.metrics.classification import balanced_accuracy_of
from edgekd.metrics.intervals import Interval
from edgekd.metrics.seeds import seeds_difference
from edgekd.models import load_checkpoint, logits_of
from edgekd.models.mobile import MobileOptions
from edgekd.recipe import Recipe, convert
from edgekd.tune.supernet.outcome import SupernetResult, student_of
from edgekd.tune.supernet.plan import SupernetPlan
from edgekd.tune.supernet.search import SupernetRequest, search

MAX_MACS = 1.0e6
RECIPE: dict[str, Any] = {
    "name": "search-without-data",
    "image_size": 32,
    "data": {"source": "synthetic", "images": 2400, "size": 64, "seed": 7},
    "split": {"validation": 0.15, "test": 0.35},
    "teacher": {
        "model": {"arch": "resnet10t", "options": {"channels": [16, 32, 64, 128]}},
        "fit": {"epochs": 10, "batch_size": 32, "learning_rate": 4e-3, "class_sampling": "sqrt",
                "class_weights": "none"},
    },
    "student": {
        "model": {"arch": "edgekd:mobile", "options": {"stages": [{"width": 8, "kernels": [3]}]}},
        "fit": {"epochs": 10, "batch_size": 32, "learning_rate": 4e-3, "class_sampling": "sqrt",
                "class_weights": "none"},
    },
    "method": {"name": "kd", "temperature": 2.0, "weight": 0.7},
    "trainer": {"accelerator": "cpu", "precision": "fp32", "threads": 1},
}  # fmt: skip
PLAN: dict[str, Any] = {
    "space": {
        "stem": 8, "stem_stride": 2, "head": 96,
        "stages": [
            {"widths": [8, 12], "depths": [1], "kernels": [3], "stride": 1, "expansion": 1},
            {"widths": [8, 12, 16], "depths": [1, 2], "kernels": [3, 5], "expansion": 4},
            {"widths": [16, 24, 32], "depths": [1, 2, 3], "kernels": [3, 5], "expansion": 4},
        ],
    },
    "synthesis": {"images": 480, "batch": 96, "rounds": 2, "half": 40, "whole": 60},
    "supernet": {"steps": 400, "batch": 48, "saved": 100},
    "recalibrating": 192,
    "evolution": {"population": 16, "generations": 3, "parents": 5, "crossed": 8, "mutated": 8},
}  # fmt: skip
SEARCHES = {"made images": "none", "real images": "recipe"}
DRAWN = "drawn, not chosen"
HEADER = ("network chosen with", "MACs", "parameters", "test balanced accuracy, each seed", "mean")


def main(arguments: list[str] | None = None) -> int:
    """Train the teacher, search twice, train what was found, compare."""
    options = _options(arguments)
    return exit_code_of(lambda: _compare(options))


def _compare(options: argparse.Namespace) -> int:
    recipe = convert(RECIPE, Recipe, "the benchmark's recipe")
    samples = load_samples(recipe)
    teacher = options.out / "teacher"
    train(RunRequest(recipe, teacher, say))
    recipe = convert(
        {**RECIPE, "teacher": {"checkpoint": str(teacher.resolve())}}, Recipe, "the recipe"
    )
    found = {name: _searched(recipe, images, options) for name, images in SEARCHES.items()}
    chosen = {name: result.candidates[result.winner].options for name, result in found.items()}
    chosen[DRAWN] = _drawn(found["real images"])
    decided, costs = {}, {}
    for name, network in chosen.items():
        runs = [_trained(recipe, network, name, seed, samples, options.out)
                for seed in range(options.seeds)]  # fmt: skip
        decided[name] = np.stack([answers for answers, _ in runs])
        costs[name] = runs[0][1]
    _, targets = samples.part("test")
    rows = [_row(name, decided[name], targets, costs[name]) for name in chosen]
    text = f"{markdown_table(HEADER, rows)}\n{_differences(decided, samples)}\n{_networks(chosen)}"
    values = {"rows": [dict(zip(HEADER, row, strict=True)) for row in rows]}
    publish(text, values, markdown=options.markdown, json=options.json)
    return 0


def _searched(recipe: Recipe, images: str, options: argparse.Namespace) -> SupernetResult:
    begin = time.process_time()
    plan = convert(PLAN, SupernetPlan, "the benchmark's plan")
    result = search(
        SupernetRequest(
            recipe, plan, options.out / f"search-{images}", images,  # type: ignore[arg-type]
            max_macs=MAX_MACS, say=say,
        )
    )  # fmt: skip
    say(f"searched with --data {images}: {time.process_time() - begin:.0f} s of the processor")
    return result


def _drawn(result: SupernetResult) -> MobileOptions:
    """The first network that was drawn; number 0 is the smallest of the space."""
    return result.candidates[1].options


def _trained(
    recipe: Recipe, network: MobileOptions, name: str, seed: int, samples: RunSamples, out: Path
) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """Decided classes of the test images, and the network's MACs and parameters."""
    own = msgspec.structs.replace(
        student_of(recipe, network, recipe.name), seed=seed, teacher=None, method={"name": "none"}
    )
    folder = out / f"{name.replace(' ', '-').replace(',', '')}-{seed}"
    card = distill(RunRequest(own, folder, say))
    images, _ = samples.part("test")
    logits = logits_of(load_checkpoint(folder / "student").normalised(), images)
    return logits.argmax(axis=1).astype(np.int64), (card.macs, card.params)


def _score(answers: NDArray[np.int64], targets: NDArray[Any]) -> float:
    return float(np.mean([(answers[targets == k] == k).mean() for k in np.unique(targets)]))


def _row(
    name: str, decided: NDArray[np.int64], targets: NDArray[Any], costs: tuple[int, int]
) -> tuple[str, ...]:
    scores = [_score(answers, targets) for answers in decided]
    each = ", ".join(f"{score:.3f}" for score in scores)
    macs, params = costs
    return (name, f"{macs / 1e6:.2f} M", f"{params / 1e3:.1f} k", each, f"{np.mean(scores):.3f}")


def _differences(decided: dict[str, NDArray[np.int64]], samples: RunSamples) -> str:
    """The made images' network minus each other one."""
    first, *others = decided
    lines = []
    for other in others:
        found = _difference(decided[other], decided[first], samples)
        bounds = (
            "" if found.low is None else f", 95 % interval {found.low:+.3f} to {found.high:+.3f}"
        )
        lines.append(f"- {first} minus {other}: {found.value:+.3f}{bounds}\n")
    return "".join(lines)


def _difference(
    first: NDArray[np.int64], second: NDArray[np.int64], samples: RunSamples
) -> Interval:
    _, targets = samples.part("test")
    names = samples.groups("test")
    numbers = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return seeds_difference(
        balanced_accuracy_of, first, second, targets, len(samples.classes), groups=numbers
    )


def _networks(chosen: dict[str, MobileOptions]) -> str:
    lines = []
    for name, network in chosen.items():
        stages = "; ".join(
            f"{stage.width} channels, kernels {' '.join(map(str, stage.kernels))}"
            for stage in network.stages
        )
        lines.append(f"- {name}: {stages}\n")
    return "".join(lines)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each network")
    parser.add_argument("--json", type=Path, help="file for its values")
    parser.add_argument("--markdown", type=Path, help="file for the table")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
