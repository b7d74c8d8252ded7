"""Methods of several seeds: what the interval of a difference holds, how often it is wrong."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from scipy import stats
from seeded import (
    CLASSES,
    Statistic,
    accuracy_of,
    gain_trials,
    null_trials,
    ranked_trials,
)
from sklearn.metrics import roc_auc_score

from edgekd.errors import InputError
from edgekd.metrics import Interval, paired_difference
from edgekd.metrics.classification import (
    balanced_accuracy_of,
    class_f1_of,
    class_recall_of,
    macro_f1_of,
    quadratic_kappa_of,
)
from edgekd.metrics.influences import influences_of_areas
from edgekd.metrics.seeds import seeds_auroc_difference, seeds_difference

LARGEST_LEVEL = 0.08  # 5 % are nominal

Trials = Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]


def recall_of(index: int) -> Statistic:
    return lambda confusions: class_recall_of(confusions)[..., index]


def leaves_out_zero(found: Interval) -> bool:
    return found.low is not None and not found.low <= 0 <= found.high


# The formula -----------------------------------------------------------------------------------


def from_first_principles(
    first: np.ndarray, second: np.ndarray, labels: np.ndarray, family: int
) -> tuple[float, float]:
    """Half widths of accuracy, seed by seed and image by image."""
    right = [decided == labels for decided in (first, second)]
    deviations = []
    for each in right:
        centred = each.astype(float)
        for label in np.unique(labels):
            own = labels == label
            n = own.sum()
            centred[:, own] -= centred[:, own].mean(axis=1, keepdims=True)
            centred[:, own] *= np.sqrt(n / (n - 1))
        deviations.append(centred / labels.size)
    seeds = [len(each) for each in right]
    of_seeds = []
    for each in right:
        scores = each.mean(axis=1)
        alone = (each - scores[:, None]).var(axis=0, ddof=1).sum() / labels.size**2
        of_seeds.append(max(scores.var(ddof=1), alone) / len(scores))
    pairs = [
        np.mean([x[a] @ x[b] for a in range(n) for b in range(n) if a != b])
        for x, n in zip(deviations, seeds, strict=True)
    ]
    crossed = np.mean([a @ b for a in deviations[0] for b in deviations[1]])
    of_images = max(0.0, sum(pairs) - 2 * crossed)
    variance = sum(of_seeds) + of_images
    free = labels.size - np.unique(labels).size
    below = sum(v**2 / (n - 1) for v, n in zip(of_seeds, seeds, strict=True)) + of_images**2 / free
    level = 1 - 0.95 ** (1 / family)
    return stats.t.ppf(1 - level / 2, variance**2 / below) * np.sqrt(variance), of_images


@pytest.mark.parametrize("family", [1, 7])
def test_the_interval_is_that_of_seeds_and_images(family):
    seen = []
    for first, second, labels in gain_trials(6, 0.05, images=210, method=0.6):
        found = seeds_difference(accuracy_of, first[:2], second, labels, CLASSES, family=family)
        half, of_images = from_first_principles(first[:2], second, labels, family)
        value = (second == labels).mean() - (first[:2] == labels).mean()
        assert found.value == pytest.approx(value)
        assert found.low == pytest.approx(value - half, rel=1e-6)
        assert found.high == pytest.approx(value + half, rel=1e-6)
        seen.append(of_images)
    assert max(seen) > 0  # the third term is told, too


def test_swapped_methods_swap_the_sign():
    first, second, labels = next(gain_trials(1, 0.05))
    there = seeds_difference(macro_f1_of, first, second, labels, CLASSES)
    back = seeds_difference(macro_f1_of, second, first, labels, CLASSES)
    assert there.value > 0
    assert back == pytest.approx((-there.value, -there.high, -there.low))


def test_seeds_that_differ_widen_it():
    """The images' part alone is the same: only the seeds' scores move."""
    labels = np.arange(400) % 2
    steady, moved = (np.tile(labels, (3, 1)) for _ in range(2))
    for seed, wrong in enumerate((20, 60, 100)):
        moved[seed, :wrong] = 1 - labels[:wrong]
        steady[seed, 20 * seed : 20 * seed + 60] = 1 - labels[20 * seed : 20 * seed + 60]
    base = np.tile(labels, (3, 1))
    base[np.arange(3)[:, None], 200 + np.arange(30) + 10 * np.arange(3)[:, None]] ^= 1
    wide = seeds_difference(accuracy_of, base, moved, labels, 2)
    narrow = seeds_difference(accuracy_of, base, steady, labels, 2)
    assert wide.value == pytest.approx(narrow.value)
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_scores_that_agree_by_luck_are_not_believed():
    """Each seed misses another image: the scores are equal, the decisions are not."""
    labels = np.arange(40) % 2
    first, second = (np.tile(labels, (3, 1)) for _ in range(2))
    for seed in range(3):
        first[seed, seed] ^= 1
        second[seed, [seed + 10, seed + 20]] ^= 1
    found = seeds_difference(accuracy_of, first, second, labels, 2)
    assert found.value == pytest.approx(-1 / 40)
    assert found.low < 0 < found.high


def test_images_of_one_group_count_once():
    first, second, labels = next(gain_trials(1, 0.05, images=210, seeds=10, method=1.0))
    copies = [np.repeat(each, 4, axis=-1) for each in (first, second, labels)]
    groups = np.repeat(np.arange(210), 4) * 1000  # any numbers
    once = seeds_difference(macro_f1_of, first, second, labels, CLASSES)
    grouped = seeds_difference(macro_f1_of, *copies, CLASSES, groups=groups)
    alone = seeds_difference(macro_f1_of, *copies, CLASSES)
    assert grouped == pytest.approx(once, rel=1e-4)
    assert alone.high - alone.low < 0.8 * (once.high - once.low)


def test_a_family_is_wider():
    first, second, labels = next(gain_trials(1, 0.05))
    alone = seeds_difference(recall_of(0), first, second, labels, CLASSES)
    one_of = seeds_difference(recall_of(0), first, second, labels, CLASSES, family=CLASSES)
    assert one_of.value == alone.value
    assert one_of.high - one_of.low > 1.3 * (alone.high - alone.low)


def test_rows_of_other_classes_do_not_matter_to_a_sensitivity():
    """A class with a single image leaves the others their bounds."""
    first, second, labels = next(gain_trials(1, 0.05))
    alone = np.append(labels[labels != 3], 3)
    first, second = (np.c_[each[:, labels != 3], [[3]] * 3] for each in (first, second))
    second[0, -1] = 0
    assert seeds_difference(recall_of(2), first, second, alone, CLASSES).low is not None
    for statistic in (recall_of(3), balanced_accuracy_of, macro_f1_of):
        found = seeds_difference(statistic, first, second, alone, CLASSES)
        assert found.value is not None
        assert (found.low, found.high) == (None, None)


def test_bounds_end_at_what_is_possible():
    first, second, labels = next(gain_trials(1, 0.05, images=28))
    found = seeds_difference(recall_of(0), first[:2], second[:2], labels, CLASSES, family=10**6)
    assert (found.low, found.high) == (-1.0, 1.0)
    wide = seeds_difference(
        recall_of(0), first[:2], second[:2], labels, CLASSES, family=10**6, largest=2.0
    )
    assert wide.low == -2.0


# What has no bounds ----------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [(1, 1), (1, 3), (3, 1)])
@pytest.mark.parametrize(
    "statistic",
    [
        balanced_accuracy_of,
        macro_f1_of,
        quadratic_kappa_of,
        recall_of(1),
        lambda confusions: class_f1_of(confusions)[..., 1],
    ],
    ids=["balanced accuracy", "macro F1", "kappa", "sensitivity", "F1"],
)
def test_one_seed_tells_no_interval(statistic, seeds):
    first, second, labels = next(gain_trials(1, 0.05))
    found = seeds_difference(statistic, first[: seeds[0]], second[: seeds[1]], labels, CLASSES)
    assert found.value > 0
    assert (found.low, found.high) == (None, None)


def test_nothing_that_varies_tells_no_interval():
    labels = np.arange(40) % 2
    same = np.tile(labels, (3, 1))
    assert seeds_difference(accuracy_of, same, same, labels, 2) == (0.0, None, None)


def test_no_images_and_no_value():
    nothing = np.empty((3, 0), np.int64)
    found = seeds_difference(quadratic_kappa_of, nothing, nothing, nothing[0], 3)
    assert found == (None, None, None)
    same = np.zeros((3, 4), np.int64)
    found = seeds_difference(quadratic_kappa_of, same, same, same[0], 3)
    assert found == (None, None, None)


def test_as_many_groups_as_images():
    first, second, labels = next(gain_trials(1, 0.05))
    with pytest.raises(InputError, match="groups"):
        seeds_difference(
            accuracy_of, first, second, labels, CLASSES, groups=np.arange(labels.size - 1)
        )


# Areas under the ROC curve ----------------------------------------------------------------------


@pytest.mark.parametrize("of", [None, 4], ids=["mean", "one class"])
def test_the_area_of_a_method_that_ranks_better(of):
    first, second, labels = next(ranked_trials(1, 0.5))
    found = seeds_auroc_difference(first, second, labels, of=of)
    classes = range(CLASSES) if of is None else [of]

    def area(scores: np.ndarray) -> float:
        return np.mean([roc_auc_score(labels == k, each[:, k]) for each in scores for k in classes])

    assert found.value == pytest.approx(area(second) - area(first))
    assert 0 < found.low < found.value < found.high
    back = seeds_auroc_difference(second, first, labels, of=of)
    assert back == pytest.approx((-found.value, -found.high, -found.low))


def test_the_interval_of_an_area_is_that_of_its_influences():
    """The formula of `seeds_difference`, written out for the influences of an area."""
    first, second, labels = next(ranked_trials(1, 0.2, method=1.0))
    found = seeds_auroc_difference(first, second, labels, of=0)
    both = [
        influences_of_areas(each, labels, (0,), np.zeros_like(labels)) for each in (first, second)
    ]
    centred = [each.of_images.copy() for each in both]
    for each in centred:
        for label in np.unique(labels):
            own = labels == label
            each[:, own] -= each[:, own].mean(axis=1, keepdims=True)
            each[:, own] *= np.sqrt(own.sum() / (own.sum() - 1))
    of_seeds = [
        max(each.scores.var(ddof=1), each.of_images.var(axis=0, ddof=1).sum()) / 3 for each in both
    ]
    within = [
        np.mean([each[a] @ each[b] for a in range(3) for b in range(3) if a != b])
        for each in centred
    ]
    crossed = np.mean([a @ b for a in centred[0] for b in centred[1]])
    of_images = sum(within) - 2 * crossed
    assert of_images > 0
    variance = sum(of_seeds) + of_images
    free = labels.size - CLASSES
    below = sum(v**2 / 2 for v in of_seeds) + of_images**2 / free
    half = stats.t.ppf(0.975, variance**2 / below) * np.sqrt(variance)
    assert found.high - found.value == pytest.approx(half)


def test_areas_take_groups_whole_and_families_widely():
    first, second, labels = next(ranked_trials(1, 0.2, images=210, method=1.0))
    once = seeds_auroc_difference(first, second, labels)
    copies = [np.repeat(each, 4, axis=1) for each in (first, second)]
    groups = np.repeat(np.arange(210), 4)
    whole = seeds_auroc_difference(*copies, np.repeat(labels, 4), groups=groups)
    alone = seeds_auroc_difference(*copies, np.repeat(labels, 4))
    assert whole == pytest.approx(once)
    assert alone.high - alone.low < 0.8 * (once.high - once.low)
    family = seeds_auroc_difference(first, second, labels, family=CLASSES)
    assert family.high - family.low > 1.3 * (once.high - once.low)


def test_folds_are_ranked_apart():
    first, second, labels = next(ranked_trials(1, 0.5))
    folds = np.arange(labels.size) % 4
    moved = second + 50.0 * folds[:, None]
    apart = seeds_auroc_difference(first, moved, labels, folds=folds)
    assert apart == pytest.approx(seeds_auroc_difference(first, second, labels, folds=folds))
    assert seeds_auroc_difference(first, moved, labels).value < 0 < apart.value


def test_areas_without_bounds_or_value():
    first, second, labels = next(ranked_trials(1, 0.2))
    alone = seeds_auroc_difference(first[:1], second, labels)
    assert (alone.low, alone.high) == (None, None)
    assert alone.value is not None
    one = np.zeros_like(labels)
    assert seeds_auroc_difference(first, second, one) == (None, None, None)
    nothing = seeds_auroc_difference(first[:, :0], second[:, :0], labels[:0])
    assert nothing == (None, None, None)
    with pytest.raises(InputError, match="groups"):
        seeds_auroc_difference(first, second, labels, groups=labels[:-1])


def area_alarms(trials: Trials) -> dict[str, float]:
    """Share of trials whose area differs: the mean's, one class's, any class's of a family."""
    found: dict[str, list[bool]] = {"mean": [], "one class": [], "any class": []}
    for each in trials:
        found["mean"].append(leaves_out_zero(seeds_auroc_difference(*each)))
        found["one class"].append(leaves_out_zero(seeds_auroc_difference(*each, of=4)))
        family = (
            seeds_auroc_difference(*each, of=k, family=CLASSES) for k in range(CLASSES)
        )  # fmt: skip
        found["any class"].append(any(map(leaves_out_zero, family)))
    return {name: float(np.mean(hits)) for name, hits in found.items()}


def test_equal_areas_are_not_told_apart():
    found = area_alarms(ranked_trials(30, 0.0))
    assert max(found.values()) <= stats.binom.ppf(0.99, 30, LARGEST_LEVEL) / 30, found


@pytest.mark.simulation
@pytest.mark.parametrize("method", [0.0, 0.3, 1.0])
def test_areas_hold_their_level(method):
    found = area_alarms(ranked_trials(1000, 0.0, method=method))
    print(found)
    assert max(found.values()) <= LARGEST_LEVEL, found


# How often it is wrong, and what it sees -------------------------------------------------------

LEAST_POWER = 0.80
STATISTICS = {
    "accuracy": accuracy_of,
    "balanced accuracy": balanced_accuracy_of,
    "macro F1": macro_f1_of,
    "kappa": quadratic_kappa_of,
    "F1 of a class": lambda confusions: class_f1_of(confusions)[..., 1],
}


def false_alarms(trials: Trials) -> dict[str, float]:
    """Share of null trials that leave out 0: of each statistic, and of any sensitivity at all."""
    found: dict[str, list[bool]] = {name: [] for name in [*STATISTICS, "any sensitivity"]}
    for each in trials:
        for name, statistic in STATISTICS.items():
            found[name].append(leaves_out_zero(seeds_difference(statistic, *each, CLASSES)))
        recalls = (
            seeds_difference(recall_of(k), *each, CLASSES, family=CLASSES) for k in range(CLASSES)
        )
        found["any sensitivity"].append(any(map(leaves_out_zero, recalls)))
    return {name: float(np.mean(hits)) for name, hits in found.items()}


def power(trials: Trials) -> float:
    """Share of trials whose accuracy is told to be better."""
    found = [seeds_difference(accuracy_of, *each, CLASSES) for each in trials]
    return float(np.mean([each.low > 0 for each in found]))


def test_seeds_of_one_network_are_not_told_apart():
    """As few as 30 trials say little: no more than a level of 8 % has in all but 1 of 100 cases."""
    found = false_alarms(null_trials(30))
    assert max(found.values()) <= stats.binom.ppf(0.99, 30, LARGEST_LEVEL) / 30, found


def test_the_trial_finds_intervals_that_leave_out_the_seeds():
    """Images alone and each class by itself, as `compare` once did it."""
    found = [
        any(
            leaves_out_zero(paired_difference(recall_of(k), *each, CLASSES, resamples=200))
            for k in range(CLASSES)
        )
        for each in null_trials(6)
    ]
    assert np.mean(found) > 0.5


def test_five_points_are_seen():
    assert power(gain_trials(40, 0.05)) >= LEAST_POWER


@pytest.mark.simulation
def test_the_null_trial_holds_its_level():
    found = false_alarms(null_trials(2000))
    print(found)
    assert max(found.values()) <= LARGEST_LEVEL, found


@pytest.mark.simulation
def test_it_holds_where_seeds_differ_by_far_more_than_images():
    found = false_alarms(gain_trials(2000, 0.0, for_class=0.3))
    print(found)
    assert max(found.values()) <= LARGEST_LEVEL, found


@pytest.mark.simulation
@pytest.mark.parametrize("method", [0.0, 0.3, 0.6])
def test_five_points_are_seen_in_most_trials(method):
    """1,000 images, three seeds each, one point of standard deviation between seeds."""
    spread = [
        (decided == labels).mean(axis=1).var(ddof=1)
        for first, second, labels in gain_trials(500, 0.05, method=method)
        for decided in (first, second)
    ]
    assert np.sqrt(np.mean(spread)) == pytest.approx(0.01, abs=0.002)
    found = power(gain_trials(2000, 0.05, method=method))
    print(found)
    assert found >= LEAST_POWER
    assert power(gain_trials(2000, 0.0, method=method)) <= LARGEST_LEVEL / 2  # one-sided
