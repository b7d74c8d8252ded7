"""What every task's gate shares: outputs of any rank, conversion faults, limits that are kept."""

from __future__ import annotations

import numpy as np
import pytest

from edgekd.lower.evidence.gate import (
    Changes,
    GateReference,
    conversion_faults,
    exceeds,
    missing_certificates,
    output_difference,
    points,
    too_few_images,
)
from edgekd.policy import GateLimits

LIMITS = GateLimits(
    max_flips=0.1, max_balanced_accuracy_drop=0.1, max_sensitivity_drop=0.1, max_ece_increase=0.1,
    min_images=5,
)  # fmt: skip
MASKS = np.random.default_rng(0).normal(0, 5, (6, 2, 4, 4)).astype(np.float32)


def reference(images: int = 6) -> GateReference:
    return GateReference(MASKS[:images], np.zeros((images, 4, 4)), (), LIMITS, {})


def test_outputs_may_have_any_rank() -> None:
    lowered = MASKS + np.float32(0.25)
    assert output_difference(MASKS, lowered) == pytest.approx(0.25, rel=1e-4)
    lowered[1, 0, 2, 3] = lowered[1, 1, 0, 0] = lowered[4, 0, 0, 0] = np.nan
    assert output_difference(MASKS, lowered) == -1.0
    assert list(conversion_faults(reference(), lowered, exact=True)) == ["2 outputs are not finite"]


def test_only_a_file_of_the_students_precision_must_agree_with_it() -> None:
    scale = float(np.abs(MASKS).max())
    near, far = MASKS + np.float32(0.009 * scale), MASKS + np.float32(0.011 * scale)
    assert not list(conversion_faults(reference(), near, exact=True))
    assert not list(conversion_faults(reference(), far, exact=False))
    (fault,) = conversion_faults(reference(), far, exact=True)
    assert "the conversion is wrong" in fault


def test_too_few_images_are_counted() -> None:
    assert not list(too_few_images(reference(5)))
    (reason,) = too_few_images(reference(4))
    assert reason.startswith("4 validation images are fewer than 5")


def test_a_task_without_classes_needs_no_certificate() -> None:
    assert not list(missing_certificates(reference(), Changes()))


def test_a_limit_is_kept_where_only_the_last_bit_exceeds_it() -> None:
    assert not exceeds(0.1 + 0.2, 0.3)
    assert exceeds(0.3001, 0.3)
    assert points(0.0234) == "2.3 points"
