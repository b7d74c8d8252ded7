"""The order of an epoch is a function of seed and epoch alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from edgekd.data import Sample, Split, dataset_of
from edgekd.distill.samples.run_samples import EpochSampler, OnceEach, RunSamples, Share
from edgekd.distill.task import training_task
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK

LABELS = np.repeat(np.arange(2), (900, 100))
COUNTS = (900, 100)


def sampler(
    sampling: str = "none", seed: int = 3, epoch: int = 0, share: Share | None = None
) -> EpochSampler:
    weights = None
    if sampling != "none":
        weights = training_task(DEFAULT_TASK).sampling_weights(LABELS, COUNTS, sampling)
    return EpochSampler(len(LABELS), weights, seed, lambda: epoch, share or Share())


@pytest.mark.parametrize("sampling", ["none", "sqrt", "full"])
def test_equal_seed_and_epoch_give_equal_order(sampling):
    first = list(sampler(sampling))
    again = sampler(sampling)
    assert list(again) == first
    assert list(again) == first  # no state
    assert list(sampler(sampling, seed=4)) != first
    assert list(sampler(sampling, epoch=1)) != first
    assert len(first) == len(again) == 1000


def test_without_sampling_every_image_comes_once():
    assert sorted(sampler()) == list(range(1000))


@pytest.mark.parametrize(("sampling", "share"), [("sqrt", 0.25), ("full", 0.5)])
def test_rare_classes_come_more_often(sampling, share):
    drawn = Counter(int(LABELS[i]) for epoch in range(10) for i in sampler(sampling, epoch=epoch))
    assert drawn[1] / drawn.total() == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("sampling", ["none", "sqrt", "full"])
@pytest.mark.parametrize("processes", [1, 2, 3, 7])
def test_processes_share_the_order_of_one(sampling, processes):
    shares = [list(sampler(sampling, share=Share(rank, processes))) for rank in range(processes)]
    whole = list(sampler(sampling))
    together = [position for step in zip(*shares, strict=True) for position in step]
    assert together == whole[: len(whole) // processes * processes]


@pytest.mark.parametrize("size", [1, 2, 5, 6, 21])
@pytest.mark.parametrize("processes", [1, 2, 3, 8])
def test_each_position_counts_once(size, processes):
    shares = [OnceEach(size, Share(rank, processes)) for rank in range(processes)]
    assert len({len(share) for share in shares}) == 1
    assert all(len(list(share)) == len(share) for share in shares)
    counted = [position for share in shares for position in list(share)[: share.counted]]
    assert sorted(counted) == list(range(size))
    assert all(position < size for share in shares for position in share)


def test_weights_of_a_table_are_how_often_an_image_is_drawn(tmp_path):
    samples = [
        Sample(f"{n}.png", "ab"[n % 2], str(n), weight=weight)
        for n, weight in enumerate((1.0, 1.0, 3.0, 0.0, 2.0, 5.0))
    ]
    dataset = dataset_of("weighted", tmp_path, samples)
    split = Split(dataset, ("train",) * 5 + ("test",))
    images = np.zeros((6, 16, 16, 3), np.uint8)
    weighted = RunSamples(split, images, dataset.targets())
    assert weighted.sampling_weights("none").tolist() == [1, 1, 3, 0, 2]
    # Class a has three training images and class b two.
    full = weighted.sampling_weights("full")
    assert (full / full[0]).tolist() == pytest.approx([1, 1.5, 3, 0, 2])
    unweighted = [replace(sample, weight=1.0) for sample in samples]
    plain = replace(split, dataset=dataset_of("plain", tmp_path, unweighted))
    assert RunSamples(plain, images, dataset.targets()).sampling_weights("none") is None
    nothing = [replace(sample, weight=float(sample.weight > 4)) for sample in samples]
    none = replace(split, dataset=dataset_of("none", tmp_path, nothing))
    with pytest.raises(InputError, match="no training image has a weight above 0"):
        RunSamples(none, images, dataset.targets()).sampling_weights("none")
