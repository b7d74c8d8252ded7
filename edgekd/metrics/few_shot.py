"""A classifier of few images: a logistic head on normalised features, and episodes that judge it.

Tian et al. 2020, "Rethinking Few-Shot Image Classification: a Good Embedding Is All You Need?"
(arXiv 2003.11539), section 3: features scaled to unit length, multinomial logistic regression with
C = 1, episodes of N ways, K shots and 15 queries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekd.errors import InputError
from edgekd.metrics.intervals import Interval, share_interval

__all__ = [
    "EpisodeProtocol",
    "Head",
    "LeftOut",
    "episodes",
    "fit_head",
    "leave_one_group_out",
    "mean_of_shares",
    "unit_length",
]

Features = NDArray[np.float64]
Labels = NDArray[np.int64]

_STEPS = 100
_CONVERGED = 1e-10
"""Largest gradient of the objective, for each image, at which the fit ends."""
_NORMAL_95 = 1.959964


@dataclass(frozen=True)
class Head:
    """A linear classifier of features of unit length.

    Attributes:
        weights: [K, F].
        bias: [K].
    """

    weights: Features
    bias: Features

    def logits(self, features: Features) -> Features:
        """Logits [N, K] of features [N, F] of any length."""
        return np.asarray(unit_length(features) @ self.weights.T + self.bias)


@dataclass(frozen=True)
class EpisodeProtocol:
    """How episodes are drawn.

    Attributes:
        ways: Number of classes of an episode.
        shots: Number of images of each class that the head is fitted to.
        queries: Number of other images of each class that it is asked about.
        count: Number of episodes.
        seed: The same seed draws the same episodes.
        inverse_strength: C of the head, see `fit_head`.
    """

    ways: int = 5
    shots: int = 5
    queries: int = 15
    count: int = 600
    seed: int = 0
    inverse_strength: float = 1.0


@dataclass(frozen=True)
class LeftOut:
    """How a head answers on images whose lesion or patient took no part in its fit.

    Attributes:
        answers: Class index for each image [N]; −1 where no image of its class is left to teach
            the head.
        sensitivity: Share of right answers of each class [K], with its 95 % interval.
        balanced_accuracy: Mean of these over the classes; no value where a class has none.
    """

    answers: Labels
    sensitivity: tuple[Interval, ...]
    balanced_accuracy: Interval


def unit_length(features: Features) -> Features:
    """Rows [N, F] scaled to a Euclidean norm of 1; a row of zeros stays as it is."""
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.where(norms > 0, norms, 1.0))


def fit_head(
    features: Features, labels: Labels, classes: int, *, inverse_strength: float = 1.0
) -> Head:
    """Multinomial logistic regression on features of unit length.

    Minimises C · Σᵢ CE(W f̂ᵢ + b, yᵢ) + ½ ‖W‖², of which the bias takes no part in the penalty, by
    Newton's method within the span of the features (W is a combination of them, as at any optimum).

    Args:
        features: [N, F], of any length.
        labels: Class indices [N].
        classes: Number K of classes; each has an image at least.
        inverse_strength: C; the smaller, the stronger the penalty.

    Raises:
        InputError: A class has no image, or a feature is not finite.
    """
    _check(features, labels, classes)
    directions, reduced = _reduced(unit_length(features))
    truth = np.eye(classes)[labels]
    inputs = np.hstack([reduced, np.ones((len(labels), 1))])  # the bias is the last column
    penalty = np.r_[np.ones(reduced.shape[1]), 0.0]

    def objective(weights: Features) -> float:
        logits = inputs @ weights.T
        losses = _log_sum(logits) - (logits * truth).sum(axis=1)
        return float(inverse_strength * losses.sum() + 0.5 * (penalty * weights**2).sum())

    weights = np.zeros((classes, inputs.shape[1]))
    of_bias = np.tile(1.0 - penalty, classes)
    shift = np.outer(of_bias, of_bias) / classes
    for _ in range(_STEPS):
        shares = np.exp(inputs @ weights.T - _log_sum(inputs @ weights.T)[:, None])
        gradient = inverse_strength * (shares - truth).T @ inputs + penalty * weights
        if np.abs(gradient).max() <= _CONVERGED * len(labels):
            break
        curvature = inverse_strength * _curvature(inputs, shares) + np.diag(
            np.tile(penalty, classes)
        )
        # A common shift of all biases changes nothing. The gradient has none, nor has the step
        # once the curvature along it is 1 instead of 0.
        step = np.linalg.solve(curvature + shift, gradient.ravel())
        weights = _lowered(objective, weights, step.reshape(weights.shape), gradient)
    return Head(weights[:, :-1] @ directions, weights[:, -1])


def episodes(
    features: Features, labels: Labels, groups: NDArray[np.int64], protocol: EpisodeProtocol
) -> Interval:
    """Mean accuracy over episodes, with its 95 % interval by the normal approximation.

    An episode draws classes, and of each class as many lesions or patients as it takes shots and
    queries, one image of each: no query shows a lesion that the head was fitted to.

    Args:
        features: [N, F].
        labels: Class indices [N].
        groups: A number for the lesion or patient of each image [N].
        protocol: How episodes are drawn.

    Raises:
        InputError: Too few classes have enough lesions or patients, or an episode is empty.
    """
    rng = np.random.default_rng(protocol.seed)
    pools = _pools(labels, groups, protocol)
    accuracies = np.array([_episode(features, pools, protocol, rng) for _ in range(protocol.count)])
    mean = float(accuracies.mean())
    half = _NORMAL_95 * float(accuracies.std(ddof=1)) / np.sqrt(len(accuracies))
    return Interval(mean, mean - float(half), mean + float(half))


def leave_one_group_out(
    features: Features,
    labels: Labels,
    groups: NDArray[np.int64],
    classes: int,
    *,
    inverse_strength: float = 1.0,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> LeftOut:
    """Fit the head again without each lesion or patient, and ask it about their images.

    The heads have nearly all images in common, so that their answers are not independent:
    intervals are those of shares of independent lesions, and approximate.

    Args:
        features: [N, F].
        labels: Class indices [N]; each class has an image at least.
        groups: A number for the lesion or patient of each image [N].
        classes: Number K of classes.
        inverse_strength: C, see `fit_head`.
        tick: Takes the number of groups that were left out, and of those that have to be.

    Raises:
        InputError: See `fit_head`.
    """
    _check(features, labels, classes)
    answers = np.full(len(labels), -1, np.int64)
    every = np.unique(groups)
    for done, group in enumerate(every):
        tick(done, len(every))
        queries = groups == group
        missing = np.setdiff1d(labels[queries], labels[~queries])
        queries &= ~np.isin(labels, missing)
        if queries.any():
            support = groups != group
            answers[queries] = _answers(features, labels, support, queries, inverse_strength)
    tick(len(every), len(every))
    shares = tuple(
        _sensitivity(answers[labels == k] == k, answers[labels == k] >= 0, groups[labels == k])
        for k in range(classes)
    )
    return LeftOut(answers, shares, mean_of_shares(shares))


def mean_of_shares(shares: Sequence[Interval]) -> Interval:
    """The mean of independent shares, with its 95 % interval from theirs.

    By the method of variance estimates recovery (Zou, Donner 2008): the squares of the distances
    to each lower end add up, and those to each upper end.

    Returns:
        No value where one of them has none; a value alone where one has no interval.
    """
    count = len(shares)
    values = [one.value for one in shares if one.value is not None]
    if len(values) < count or not count:
        return Interval(None)
    mean = float(np.mean(values))
    ends = [(one.low, one.high) for one in shares]
    lows = [low for low, _ in ends if low is not None]
    highs = [high for _, high in ends if high is not None]
    if len(lows) < count or len(highs) < count:
        return Interval(mean)
    below = float(np.linalg.norm(np.subtract(values, lows))) / count
    above = float(np.linalg.norm(np.subtract(highs, values))) / count
    return Interval(mean, max(0.0, mean - below), min(1.0, mean + above))


def _answers(
    features: Features,
    labels: Labels,
    support: NDArray[np.bool_],
    queries: NDArray[np.bool_],
    inverse_strength: float,
) -> Labels:
    """Answers for the queries of a head on the support, which may lack a class."""
    known, numbers = np.unique(labels[support], return_inverse=True)
    head = fit_head(features[support], numbers, len(known), inverse_strength=inverse_strength)
    answers: Labels = known[head.logits(features[queries]).argmax(axis=1)]
    return answers


def _sensitivity(
    right: NDArray[np.bool_], measured: NDArray[np.bool_], groups: NDArray[np.int64]
) -> Interval:
    """The share of right answers of one class; no value where an image has no answer."""
    return share_interval(right, groups) if measured.all() else Interval(None)


def _check(features: Features, labels: Labels, classes: int) -> None:
    missing = sorted(set(range(classes)) - set(labels.tolist()))
    if missing:
        message = f"{len(missing)} of {classes} classes have no image to fit the head to"
        raise InputError(message, "give examples of every class")
    if not np.isfinite(features).all():
        raise InputError("features are not finite", "give other images, or another network")


def _reduced(features: Features) -> tuple[Features, Features]:
    """Orthonormal directions [R, F] that span the features, and the features in them [N, R]."""
    left, sizes, directions = np.linalg.svd(features, full_matrices=False)
    rank = max(1, int((sizes > 1e-10 * sizes.max(initial=1e-300)).sum()))
    return directions[:rank], left[:, :rank] * sizes[:rank]


def _log_sum(logits: Features) -> Features:
    most = logits.max(axis=1)
    return np.asarray(most + np.log(np.exp(logits - most[:, None]).sum(axis=1)))


def _curvature(inputs: Features, shares: Features) -> Features:
    """Second derivatives of Σ CE by weights [K, D], as a matrix [K·D, K·D]."""
    classes, size = shares.shape[1], inputs.shape[1]
    blocks = np.empty((classes, size, classes, size))
    for first in range(classes):
        for second in range(classes):
            factor = shares[:, first] * ((first == second) - shares[:, second])
            blocks[first, :, second, :] = (inputs * factor[:, None]).T @ inputs
    return blocks.reshape(classes * size, classes * size)


def _lowered(
    objective: Callable[[Features], float], weights: Features, step: Features, gradient: Features
) -> Features:
    """The weights after a Newton step, which is halved until the objective falls (Armijo)."""
    start, slope, share = objective(weights), float((gradient * step).sum()), 1.0
    while share > 1e-8:
        changed = weights - share * step
        if objective(changed) <= start - 1e-4 * share * slope:
            return changed
        share /= 2
    return weights


def _pools(
    labels: Labels, groups: NDArray[np.int64], protocol: EpisodeProtocol
) -> list[list[NDArray[np.int64]]]:
    """Of each class with enough groups, the images of each group."""
    if min(protocol.ways - 1, protocol.shots, protocol.queries, protocol.count - 1) < 1:
        message = "an episode has two ways, one shot and one query at least; two are drawn"
        raise InputError(message, "give larger numbers")
    needed = protocol.shots + protocol.queries
    pools = []
    for label in np.unique(labels):
        known = np.unique(groups[labels == label])
        if len(known) >= needed:
            pools.append([np.flatnonzero((labels == label) & (groups == one)) for one in known])
    if len(pools) < protocol.ways:
        message = (
            f"{len(pools)} classes have the {needed} lesions or patients that {protocol.shots} "
            f"shots and {protocol.queries} queries take, of {protocol.ways} ways"
        )
        raise InputError(message, "take fewer ways, shots or queries, or give more images")
    return pools


def _episode(
    features: Features,
    pools: list[list[NDArray[np.int64]]],
    protocol: EpisodeProtocol,
    rng: np.random.Generator,
) -> float:
    support, queries = [], []
    for way in rng.choice(len(pools), protocol.ways, replace=False):
        pool = pools[way]
        chosen = rng.choice(len(pool), protocol.shots + protocol.queries, replace=False)
        images = [int(rng.choice(pool[one])) for one in chosen]
        support += images[: protocol.shots]
        queries += images[protocol.shots :]
    ways = np.arange(protocol.ways)
    head = fit_head(
        features[support], np.repeat(ways, protocol.shots), protocol.ways,
        inverse_strength=protocol.inverse_strength,
    )  # fmt: skip
    answers = head.logits(features[queries]).argmax(axis=1)
    return float((answers == np.repeat(ways, protocol.queries)).mean())
