"""Classes that a network never learnt, taught to a head on its features by a few images of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from arms import FEW_SHOT, recipes_of
from compared import spread
from labels import without_classes
from scipy.stats import ttest_ind

from edgekd.distill.comparison.compare import CompareRequest, compare
from edgekd.distill.comparison.comparison_table import difference, percent
from edgekd.evaluation.episodes import run_episodes
from edgekd.metrics import Estimate
from edgekd.metrics.few_shot import EpisodeProtocol

__all__ = ["few_shot_rows"]

SHOTS = (1, 5)


def few_shot_rows(
    data: dict[str, Any], seeds: Sequence[int], out: Path, say: Callable[[str], None]
) -> list[dict[str, str]]:
    """A row for each embedding: mean accuracy of 600 episodes over the seeds, by shots.

    All networks are asked the same episodes, so that an interval (Welch's, over the seeds) is what
    other seeds would change, for these images.
    """
    base, whole = without_classes(data, FEW_SHOT.classes, out / "base.csv")
    for epochs, recipes in recipes_of(FEW_SHOT, base).items():
        compare(CompareRequest(recipes, list(seeds), out / f"epochs-{epochs}", say))

    def accuracies(arm: str, shots: int) -> list[float]:
        folder = out / f"epochs-{FEW_SHOT.arms[arm][0]}" / arm
        protocol = EpisodeProtocol(ways=len(FEW_SHOT.classes), shots=shots)
        results = [run_episodes(folder / f"seed-{s}" / "student", whole, protocol) for s in seeds]
        return [float(one.accuracy.value or 0.0) for one in results]

    scores = {arm: {shots: accuracies(arm, shots) for shots in SHOTS} for arm in FEW_SHOT.arms}
    return list(_rows(scores))


def _rows(scores: dict[str, dict[int, list[float]]]) -> Iterator[dict[str, str]]:
    reference = next(iter(scores))
    for arm, by_shots in scores.items():
        row = {"embedding": arm}
        for shots, values in by_shots.items():
            images = "1 image" if shots == 1 else f"{shots} images"
            row[f"{images} of each class"] = percent(spread(values))
            gain = "—" if arm == reference else _gain(scores[reference][shots], values)
            row[f"− {reference}, {images} [95 %]"] = gain
        yield row


def _gain(before: Sequence[float], after: Sequence[float]) -> str:
    value = sum(after) / len(after) - sum(before) / len(before)
    low = high = None
    if min(len(before), len(after)) > 1:
        low, high = ttest_ind(after, before, equal_var=False).confidence_interval()
    return difference(Estimate(value=value, low=low, high=high))
