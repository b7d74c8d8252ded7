"""Predictions of compared runs, written here instead of trained."""

from __future__ import annotations

import numpy as np

from edgekd.distill.comparison.predictions import (
    ComparedMethod,
    PredictionFacts,
    Predictions,
    TestedPart,
)

CLASSES = ("benign", "malignant")


def logits_of_decisions(decided: np.ndarray, classes: int) -> np.ndarray:
    """Logits [..., classes] whose largest is the decision."""
    return np.eye(classes, dtype=np.float32)[decided]


def predictions(
    decided: np.ndarray,
    labels: np.ndarray,
    *,
    classes: tuple[str, ...] = CLASSES,
    folds: int = 0,
    teacher: bool = False,
    groups: np.ndarray | None = None,
    ordered: bool = False,
) -> Predictions:
    """Of the decisions of each method and seed [methods, seeds, N]; folds take turns."""
    groups = np.arange(labels.size) if groups is None else groups
    names = ["none", *(f"method-{number}" for number in range(1, len(decided)))]
    facts = PredictionFacts(
        data="painted",
        classes=classes,
        ordered=ordered,
        images={"train": 9, "validation": 9, "test": labels.size},
        split_sha256="0" * 64,
        methods=tuple(ComparedMethod(name=name, method="kd") for name in names),
        seeds=tuple(range(decided.shape[1])),
        folds=folds,
    )
    parts = [np.arange(labels.size) % max(folds, 1) == fold for fold in range(max(folds, 1))]
    logits = logits_of_decisions(decided, len(classes))
    return Predictions(
        facts,
        tuple(
            TestedPart(
                labels[own],
                groups[own],
                logits[:, :, own],
                logits_of_decisions(labels[own], len(classes)) if teacher else None,
            )
            for own in parts
        ),
    )


def better(seeds: int = 3, images: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Decisions [2, seeds, N] and labels [N]: the second method misses fewer of both classes.

    Of 100 benign ones 20 fewer and ten more, of 100 malignant ones 20.
    """
    labels = np.arange(images) % 2
    decided = np.tile(labels, (2, seeds, 1))
    for method, wrong in enumerate((60, 20)):
        for seed in range(seeds):
            missed = np.arange(5 * seed, 5 * seed + wrong)
            decided[method, seed, missed] = 1 - labels[missed]
    decided[0, :, images - 20 :: 2] = 1
    return decided, labels
