"""Methods trained with several seeds: real ones that were kept, and painted ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy.stats import norm

Statistic = Callable[[np.ndarray], np.ndarray]

KEPT = Path(__file__).with_name("seeds_ham10000.npz")
"""Twenty seeds of one network, made by benchmarks/null_trial.py (48 px, 10 epochs, HAM10000)."""

CLASSES = 7


def accuracy_of(confusions: np.ndarray) -> np.ndarray:
    """Share of right decisions [...] of confusion matrices [..., K, K]."""
    return np.trace(confusions, axis1=-2, axis2=-1) / confusions.sum(axis=(-2, -1))


def real_seeds() -> tuple[np.ndarray, np.ndarray]:
    """Decided classes [20, N] and labels [N]."""
    with np.load(KEPT) as arrays:
        return arrays["decided"].astype(np.int64), arrays["labels"].astype(np.int64)


def null_trials(count: int, seeds: int = 3) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Seeds against other seeds of the same network: (first, second, labels)."""
    decided, labels = real_seeds()
    generator = np.random.default_rng(14)
    for _ in range(count):
        chosen = generator.permutation(len(decided))[: 2 * seeds]
        yield decided[chosen[:seeds]], decided[chosen[seeds:]], labels


def gain_trials(
    count: int,
    gain: float,
    *,
    images: int = 1000,
    seeds: int = 3,
    method: float = 0.3,
    for_class: float = 0.06,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Two methods, right in 75 % and by `gain` more.

    Whether an image is right depends on how hard it is, on what each method makes of it (`method`,
    the standard deviation), and on the seed: for each image, and for each class as a whole
    (`for_class`; 0.06 makes about one point between seeds, 0.3 about four).
    """
    generator = np.random.default_rng(5)
    labels = np.arange(images) % CLASSES
    for_image = 0.5
    scale = np.sqrt(1 + method**2 + for_image**2 + for_class**2)
    for _ in range(count):
        ease = generator.normal(size=images)
        decided = []
        for share in (0.75, 0.75 + gain):
            own = ease + scale * norm.ppf(share) + generator.normal(0, method, images)
            noise = generator.normal(0, for_image, (seeds, images))
            shift = generator.normal(0, for_class, (seeds, CLASSES))[:, labels]
            wrong = (labels + generator.integers(1, CLASSES, (seeds, images))) % CLASSES
            decided.append(np.where(own + noise + shift > 0, labels, wrong))
        yield decided[0], decided[1], labels


def ranked_trials(
    count: int, gain: float, *, images: int = 400, seeds: int = 3, method: float = 0.3
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Scores [seeds, N, K] of two methods, of which the second sees `gain` more of each class.

    The score of an image's class stands above the others by 1, or by 1 + gain. How hard the image
    is, what each method makes of it (`method`, the standard deviation), and the seed move scores;
    the seed also moves each class's gap as a whole.
    """
    generator = np.random.default_rng(7)
    labels = np.arange(images) % CLASSES
    own = np.eye(CLASSES)[labels]
    for _ in range(count):
        ease = generator.normal(size=(images, CLASSES))
        scores = []
        for gap in (1.0, 1.0 + gain):
            base = ease + generator.normal(0, method, (images, CLASSES))
            gaps = gap + generator.normal(0, 0.05, (seeds, 1, CLASSES))
            noise = generator.normal(0, 0.4, (seeds, images, CLASSES))
            scores.append(base + own * gaps + noise)
        yield scores[0], scores[1], labels
