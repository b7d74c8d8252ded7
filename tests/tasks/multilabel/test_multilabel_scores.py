"""Metrics of findings on weighted images."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st

from edgekd.tasks.multilabel.scores import checked_findings, scores_of

FINDINGS = ("network", "streaks", "veil")


def drawn(images: int, seed: int = 0, noise: float = 1.5) -> tuple[Any, Any]:
    """Logits that follow the targets through noise, and the targets, each [N, 3]."""
    generator = np.random.default_rng(seed)
    targets = (generator.random((images, 3)) < (0.5, 0.3, 0.15)).astype(np.float32)
    logits = (2 * targets - 1 + generator.normal(0, noise, targets.shape)).astype(np.float32)
    return logits, targets


def test_calibration_error_pools_the_findings() -> None:
    shares = np.array([[0.9, 0.9], [0.9, 0.3], [0.3, 0.3]])
    targets = np.array([[1, 1], [0, 1], [0, 0]])
    # Bin of 0.9: 2 of 3 are right; bin of 0.3: 1 of 3.
    wanted = (3 * abs(2 / 3 - 0.9) + 3 * abs(1 / 3 - 0.3)) / 6
    answers = checked_findings(np.log(shares / (1 - shares)), targets)
    assert scores_of(answers, np.ones((1, 3))).ece[0] == pytest.approx(wanted)


def test_weights_are_repeated_images() -> None:
    logits, targets = drawn(30, noise=2.0)
    weights = np.random.default_rng(1).integers(0, 4, 30)
    repeated = checked_findings(np.repeat(logits, weights, 0), np.repeat(targets, weights, 0))
    weighted = scores_of(checked_findings(logits, targets), weights[None].astype(float))
    for got, wanted in zip(weighted, scores_of(repeated, np.ones((1, weights.sum()))), strict=True):
        assert got[0] == pytest.approx(wanted[0], rel=1e-12)


@fuzz(60)
@given(seed=st.integers(0, 10_000), images=st.integers(1, 40), scale=st.floats(0, 1e30))
def test_metrics_are_shares_or_null(seed: int, images: int, scale: float) -> None:
    generator = np.random.default_rng(seed)
    logits: npt.NDArray[Any] = generator.normal(0, 1, (images, 2)) * scale
    targets = generator.integers(0, 2, (images, 2))
    answers = checked_findings(logits, targets)
    counts = generator.integers(0, 3, (5, images)).astype(float)
    for sample in scores_of(answers, counts):
        known = sample[np.isfinite(sample)]
        assert ((known >= 0) & (known <= 1 + 1e-12)).all()
