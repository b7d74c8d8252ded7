"""Precisions of the ladder, and the variants that are files."""

from __future__ import annotations

import pytest

from edgekd.lower.precision import CALIBRATED, FINE_TUNED, LADDER, Variant


@pytest.mark.parametrize(
    ("variant", "label"),
    [
        (Variant(precision="int8"), "int8"),
        (Variant(precision="int8-mixed", float_layers=("a", "b")), "int8-mixed-2"),
    ],
)
def test_a_variant_is_named_after_its_precision_and_float_layers(
    variant: Variant, label: str
) -> None:
    assert variant.label == label


def test_only_int8_activations_need_calibration_images() -> None:
    assert {name for name in LADDER if Variant(precision=name).calibrated} == CALIBRATED
    assert FINE_TUNED in CALIBRATED
