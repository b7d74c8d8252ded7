"""The arms of a table, side by side: balanced accuracy, and the difference from the first one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from arms import Table
from numpy.typing import NDArray

from edgekd.distill.comparison.comparison import Spread
from edgekd.distill.comparison.comparison_table import difference, percent
from edgekd.distill.comparison.predictions import Predictions
from edgekd.distill.runs.pipeline import RunRequest, distill
from edgekd.distill.samples.run_samples import load_samples
from edgekd.metrics import Estimate, confusion_matrix, macro_auroc
from edgekd.metrics.classification import balanced_accuracy_of, class_recall_of
from edgekd.metrics.difference import Statistic
from edgekd.metrics.resampling import group_codes
from edgekd.metrics.seeds import seeds_difference
from edgekd.models import load_checkpoint, logits_of
from edgekd.recipe import Recipe

__all__ = ["Outputs", "outputs_of", "rows_of", "spread", "text_of", "trained_alone"]


class Outputs(NamedTuple):
    """What the networks of an arm answered for the test images.

    Attributes:
        logits: [seeds, N, K].
        labels: Class indices [N].
        groups: Lesion of each image [N].
        classes: Names of the K classes.
    """

    logits: NDArray[np.float32]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    classes: tuple[str, ...]


def outputs_of(predictions: Predictions) -> dict[str, Outputs]:
    (part,) = predictions.parts
    arms = dict(zip([one.name for one in predictions.facts.methods], part.outputs, strict=True))
    if part.teacher is not None:
        arms["teacher"] = part.teacher[None]
    return {
        name: Outputs(logits, part.labels, part.groups, predictions.facts.classes)
        for name, logits in arms.items()
    }


def trained_alone(
    recipe: Recipe, seeds: Sequence[int], out: Path, say: Callable[[str], None]
) -> Outputs:
    """The outputs of a recipe's students, with each seed, which `edgekd compare` is not made for.

    That takes methods of the same schedule, and the undistilled student beside them.
    """
    samples = load_samples(recipe)
    images, labels = samples.part("test")
    names = samples.groups("test")
    logits = []
    for seed in seeds:
        seeded = msgspec.structs.replace(recipe, seed=seed)
        folder = out / recipe.name / f"seed-{seed}"
        distill(RunRequest(seeded, folder, say))
        logits.append(logits_of(load_checkpoint(folder / "student").normalised(), images))
    groups = group_codes(names, len(names))
    return Outputs(np.stack(logits), labels, groups, samples.classes)


def rows_of(table: Table, outputs: Mapping[str, Outputs]) -> Iterator[dict[str, str]]:
    reference = next(iter(table.arms))
    first = outputs[reference]
    statistics: dict[str, Statistic] = {"balanced accuracy": balanced_accuracy_of}
    if table.classes:
        of = [first.classes.index(name) for name in table.classes]
        statistics[f"sensitivity of {', '.join(table.classes)}"] = _mean_recall(of)
    for name in [*table.arms, *(["teacher"] if table.teacher else [])]:
        arm = outputs[name]
        row = {"arm": name}
        for title, statistic in statistics.items():
            scores = [float(statistic(confusion_matrix(run, arm.labels))) for run in arm.logits]
            row[title] = percent(spread(scores))
            versus = _difference(statistic, first, arm)
            compared = name in table.arms and name != reference
            row[f"{title} − {reference} [95 %]"] = difference(versus) if compared else "—"
        row["macro AUROC"] = percent(spread([macro_auroc(run, arm.labels) for run in arm.logits]))
        yield row


def _difference(statistic: Statistic, first: Outputs, second: Outputs) -> Estimate:
    before, after = (one.logits.argmax(axis=-1).astype(np.int64) for one in (first, second))
    interval = seeds_difference(
        statistic, before, after, first.labels, len(first.classes), groups=first.groups
    )
    return Estimate(**interval._asdict())


def _mean_recall(of: Sequence[int]) -> Statistic:
    return lambda confusions: class_recall_of(confusions)[..., list(of)].mean(axis=-1)


def spread(values: Sequence[float | None]) -> Spread:
    known = [value for value in values if value is not None]
    sd = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return Spread(mean=float(np.mean(known)) if known else None, sd=sd)


def text_of(rows: Sequence[dict[str, Any]]) -> str:
    heads = list(rows[0])
    lines = [heads, ["---"] * len(heads), *([row.get(head, "") for head in heads] for row in rows)]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"
