"""Made-up findings of images, and logits that answer them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekd.policy import GateLimits

FINDINGS = ("network", "streaks", "veil")
NETWORK, STREAKS, VEIL = range(3)
LIMITS = GateLimits(
    max_flips=0.05,
    max_balanced_accuracy_drop=0.03,
    max_sensitivity_drop=0.1,
    max_ece_increase=0.02,
    min_images=50,
)
RUNTIME = {"engine": "onnxruntime", "threads": 1}
IMAGES = 400

Logits = NDArray[np.float32]
Targets = NDArray[np.float32]


def make_targets(images: int = IMAGES, shares: tuple[float, ...] = (0.5, 0.3, 0.25)) -> Targets:
    """Findings that stand together at random: exact shares, so that numbers are known."""
    rng = np.random.default_rng(0)
    columns = [rng.permutation(images) < round(share * images) for share in shares]
    return np.stack(columns, axis=1).astype(np.float32)


def make_logits(targets: Targets, size: float = 4.0) -> Logits:
    """A network that is right everywhere, and sure of it."""
    noise = np.random.default_rng(1).normal(0, 0.1, targets.shape)
    return (size * (2 * targets - 1) + noise).astype(np.float32)


def having(targets: Targets, finding: int, count: int) -> NDArray[np.intp]:
    """The first images that have a finding."""
    return np.flatnonzero(targets[:, finding])[:count]


def lacking(targets: Targets, finding: int, count: int) -> NDArray[np.intp]:
    """The first images that lack a finding."""
    return np.flatnonzero(targets[:, finding] == 0)[:count]


def turned(logits: Logits, finding: int, images: NDArray[np.intp]) -> Logits:
    """The logits with the answer for one finding turned round in some images."""
    changed = logits.copy()
    changed[images, finding] *= -1
    return changed
