"""The last stage of a student's training: on the grid of an int8 file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgekd.distill.methods import Method, Stage
from edgekd.distill.samples.run_samples import RunSamples
from edgekd.distill.training.fit import StageOutcome
from edgekd.distill.training.int8_grid import Int8Grid, stage_on_grid
from edgekd.distill.training.module import trained_state
from edgekd.metrics.task import metrics_task
from edgekd.models import FinishCard, NormalisedNetwork, logits_of
from edgekd.recipe import FinishSection

__all__ = ["finish_student"]

RANGE_IMAGES = 256
"""Number of training images that ranges are observed on."""


def finish_student(
    method: Method,
    samples: RunSamples,
    section: FinishSection,
    seed: int,
    train: Callable[[Stage], StageOutcome],
    say: Callable[[str], None],
) -> FinishCard:
    """Train the student on; it stays as it was where int8 validates worse afterwards.

    Args:
        method: The method after its last stage.
        samples: The images of the run.
        section: The recipe's section.
        seed: Seed of the run.
        train: Trains a stage and leaves its best weights in its modules.
        say: Receives one line of progress.

    Returns:
        The card's record of the stage.
    """
    student = method.student
    assert isinstance(student, NormalisedNetwork)
    grid = Int8Grid(student, _range_images(samples, seed))
    method.int8_grid = grid  # its state is part of the stage's checkpoints
    stage = stage_on_grid(method, method.stages()[-1], grid, section)
    start = {name: t.clone() for name, t in trained_state(method, stage.updated).items()}
    before = _score(grid, samples)
    outcome = train(stage)
    after = max(row["score"] for row in outcome.history)
    unchanged = not after >= before  # NaN is no improvement either
    if unchanged:
        method.load_state_dict(start, strict=False)
    del method.int8_grid
    metric = metrics_task(samples.split.dataset.task).selection_metric
    say(_sentence(metric, before, after, unchanged))
    return FinishCard(
        quantisation=section.quantisation,
        epochs=len(outcome.history),
        best_epoch=0 if unchanged else outcome.best_epoch,
        learning_rate=section.learning_rate,
        metric=metric,
        before=before,
        after=before if unchanged else after,
    )


def _range_images(samples: RunSamples, seed: int) -> NDArray[np.uint8]:
    """A draw from the training part, in the data set's order."""
    train = np.array(samples.split.indices("train"))
    drawn = np.random.default_rng(seed).permutation(len(train))[:RANGE_IMAGES]
    return np.asarray(samples.images[np.sort(train[drawn])])


def _score(grid: Int8Grid, samples: RunSamples) -> float:
    """The selection metric of the student in simulated int8 on the validation part."""
    images, targets = samples.part("validation")
    grid.refresh()
    with grid.simulated():
        outputs = logits_of(grid.student, images)
    return metrics_task(samples.split.dataset.task).selection(outputs, targets)


def _sentence(metric: str, before: float, after: float, unchanged: bool) -> str:
    named = f"validation {metric.replace('_', ' ')} in simulated int8"
    if unchanged:
        return f"finish: no epoch had a better {named} than {before:.3f}; the student stays"
    return f"finish: {named} {before:.3f} before, {after:.3f} after"
