"""Self-test vectors: which images, which tolerance, and none of outputs that are not finite."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from edgekd.errors import GateFailedError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.lower.attempt import Measured
from edgekd.lower.precision import Variant
from edgekd.lower.selftest import (
    SELFTEST_IMAGES,
    require_rounding,
    selftest_vectors,
    tolerance_of,
)
from edgekd.lower.source import Source

TARGETS = np.repeat([0, 1, 2], [90, 4, 6])
IMAGES = np.arange(100, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
OUTPUTS = np.random.default_rng(0).normal(0, 5, (100, 3)).astype(np.float32)
SOURCE = cast(
    Source, SimpleNamespace(card=SimpleNamespace(task=DEFAULT_TASK), targets=TARGETS, images=IMAGES)
)


def measured(precision: str, outputs: np.ndarray = OUTPUTS) -> Measured:
    attempt = SimpleNamespace(variant=Variant(precision=precision))
    answers = SimpleNamespace(outputs=outputs)
    return cast(Measured, cast(Any, SimpleNamespace(attempt=attempt, answers=answers)))


def test_every_class_is_shown_in_turn() -> None:
    vectors = selftest_vectors(SOURCE, measured("fp32"))
    places = vectors.images[:, 0, 0, 0]
    assert len(places) == SELFTEST_IMAGES
    assert np.bincount(TARGETS[places]).tolist() == [6, 4, 6]
    np.testing.assert_array_equal(vectors.logits, OUTPUTS[places])


@pytest.mark.parametrize(("precision", "share"), [("fp32", 0.002), ("fp16", 0.02), ("int8", 0.1)])
def test_the_tolerance_is_relative_to_the_largest_output(precision: str, share: float) -> None:
    vectors = selftest_vectors(SOURCE, measured(precision))
    assert vectors.tolerance == pytest.approx(share * np.abs(vectors.logits).max())


def test_outputs_that_are_not_finite_make_no_vectors() -> None:
    broken = OUTPUTS.copy()
    broken[0, 0] = np.nan
    with pytest.raises(GateFailedError, match="outputs are not finite"):
        selftest_vectors(SOURCE, measured("fp32", broken))


def test_small_outputs_have_the_tolerance_of_outputs_of_one() -> None:
    assert tolerance_of(np.full((2, 3), 0.01, np.float32), "fp32") == pytest.approx(0.002)
    assert tolerance_of(np.full((2, 3), -50.0, np.float32), "int8") == pytest.approx(5.0)


def test_rounding_is_measured_and_more_than_that_refused() -> None:
    expected = np.array([[1.0, -4.0]], dtype=np.float32)
    near = expected + np.float32(0.004)
    assert require_rounding(near, expected, "p", "one") == pytest.approx(0.004, abs=1e-5)
    for wrong in (expected + np.float32(0.02), expected * np.float32(np.nan), expected[:, :1]):
        with pytest.raises(GateFailedError, match=r"^p: one is off by (0\.02|nan|inf), more than"):
            require_rounding(wrong, expected, "p", "one")
