"""Loaders: the order, the rows, the share of waiting, and what becomes of an unfinished epoch."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edgekd.distill.samples import loading
from edgekd.distill.samples.loading import BatchLoader, LoadersTogether, StepNumbers, WaitingShare
from edgekd.distill.samples.run_samples import EpochSampler, OnceEach

N, SIDE = 50, 4
IMAGES = np.random.default_rng(0).integers(0, 256, (N, SIDE, SIDE, 3), dtype=np.uint8)
TARGETS = np.arange(N) % 3
MASKS = np.random.default_rng(1).normal(size=(N, 2, 2)).astype(np.float32)
PART = list(range(3, 49, 2))
"""23 of the images."""


def sampler(epoch: int = 0, done: int = 0) -> EpochSampler:
    return EpochSampler(len(PART), None, 7, lambda: epoch, done=done)


def loader(**changed: Any) -> BatchLoader:
    options = {"order": sampler(), "size": 4, "targets": [TARGETS], **changed}
    return BatchLoader(IMAGES, PART, **options)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [t for t in threading.enumerate() if t.name.startswith("edgekd-loader")]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_are_the_rows_in_the_order_of_the_sampler(workers: int) -> None:
    batches = list(loader(workers=workers, targets=[TARGETS, MASKS]))
    assert len(batches) == len(loader()) == 5
    positions = [PART[n] for n in sampler()][:20]
    assert torch.cat([batch[-1] for batch in batches]).tolist() == positions
    for images, targets, masks, rows in batches:
        np.testing.assert_array_equal(images.numpy(), IMAGES[rows])
        np.testing.assert_array_equal(targets.numpy(), TARGETS[rows])
        np.testing.assert_array_equal(masks.numpy(), MASKS[rows])
        assert (images.dtype, targets.dtype, rows.dtype) == (
            torch.uint8, torch.int64, torch.int64
        )  # fmt: skip


def test_images_are_read_from_a_mapped_file(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    (images, rows), *_ = BatchLoader(mapped, PART, sampler(), 4)
    np.testing.assert_array_equal(images.numpy(), IMAGES[rows])
    images[:] = 0  # a batch is a copy: what the training does to it stays out of the file
    np.testing.assert_array_equal(np.load(tmp_path / "images.npy"), IMAGES)


def test_a_last_batch_that_is_not_full() -> None:
    kept = loader(drop_last=False)
    assert [len(batch[0]) for batch in kept] == [4] * 5 + [3]
    assert len(kept) == 6
    every = BatchLoader(IMAGES, PART, OnceEach(len(PART)), 4, drop_last=False)
    assert torch.cat([batch[-1] for batch in every]).tolist() == PART


def test_an_interrupted_epoch_goes_on_and_the_next_one_is_whole() -> None:
    """The length stays that of a whole epoch: Lightning counts from where it was."""
    whole = [batch[-1].tolist() for batch in loader()]
    resumed = loader(order=sampler(done=8))
    assert len(resumed) == 5
    assert [batch[-1].tolist() for batch in resumed] == whole[2:]
    assert [batch[-1].tolist() for batch in resumed] == whole


def test_an_epoch_that_is_left_ends_its_threads() -> None:
    for _ in loader(workers=2):
        break


def test_an_error_of_a_thread_reaches_the_training() -> None:
    broken = BatchLoader(IMAGES[:10], PART, sampler(), 4, targets=[TARGETS[:10]])
    with pytest.raises(IndexError):
        list(broken)


class Clock:
    """Time that passes only when it is said."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(loading, "time", made)
    return made


def test_the_time_of_gathering_is_waited_without_threads(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = np.take

    def slow(*args: Any, **named: Any) -> Any:
        clock.now += 2.0
        return take(*args, **named)

    monkeypatch.setattr(np, "take", slow)
    slow_loader, waiting = loader(workers=0), WaitingShare()
    for epoch in (1, 2):
        waiting.start(slow_loader)
        for _ in slow_loader:
            clock.now += 6.0  # the step
        waiting.stop()
        assert slow_loader.waited_s == pytest.approx(epoch * 10.0)
        assert waiting.share == pytest.approx(0.25)


def test_a_thread_gathers_while_the_training_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a thread the second batch is there before it is due."""
    gathered: list[int] = []
    take = np.take

    def counted(*args: Any, **named: Any) -> Any:
        gathered.append(1)
        return take(*args, **named)

    monkeypatch.setattr(np, "take", counted)
    batches = iter(loader(workers=1))
    next(batches)
    deadline = time.monotonic() + 30
    while len(gathered) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(gathered) == 3  # the one that was due, and two ahead: no more
    batches.close()  # type: ignore[attr-defined]


def test_several_loaders_in_one_step() -> None:
    long, short = loader(), BatchLoader(IMAGES, PART[:8], EpochSampler(8, None, 1, lambda: 0), 4)
    both = LoadersTogether({"short": short, "long": long})
    assert len(both) == 5
    steps = list(both)
    assert [list(step) for step in steps] == [["short", "long"]] * 5
    positions = [step["short"][-1].tolist() for step in steps]
    assert positions[0] == positions[2] == positions[4]
    assert positions[1] == positions[3] != positions[0]
    assert [step["long"][-1].tolist() for step in steps] == [b[-1].tolist() for b in loader()]
    assert both.waited_s == long.waited_s + short.waited_s > 0


def test_numbers_of_steps() -> None:
    assert list(StepNumbers(3)) == [0, 1, 2]
    assert len(StepNumbers(3)) == 3
    assert StepNumbers(3).waited_s == 0.0


def test_no_epoch_has_no_share() -> None:
    waiting = WaitingShare()
    waiting.start(StepNumbers(0))
    waiting._start = float("inf")
    waiting.stop()
    assert waiting.share == 0.0
