"""What a teacher of subclasses says beyond the classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekd.errors import InputError
from edgekd.metrics import label_bits

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "spec_skd.npz"


@pytest.mark.parametrize("temperature", [1, 4])
def test_golden(temperature: int) -> None:
    with np.load(GOLDEN) as g:
        found = label_bits(g["subclass_logits_t"], g["subclass_to_class"].tolist(), temperature)
        wanted = float(g[f"extra_bits_T{temperature}"])
    assert found == pytest.approx(wanted, abs=1e-12)


@given(
    st.integers(0, 1000), st.lists(st.integers(1, 4), min_size=2, max_size=4), st.floats(0.5, 20)
)
def test_between_nothing_and_the_most_subclasses(
    seed: int, sizes: list[int], temperature: float
) -> None:
    of = [index for index, size in enumerate(sizes) for _ in range(size)]
    logits = np.random.default_rng(seed).normal(0, 3, (5, len(of)))
    found = label_bits(logits, of, temperature)
    assert -1e-9 <= found <= np.log2(max(sizes)) + 1e-9


def test_nothing_where_classes_are_not_divided() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (5, 3))
    assert label_bits(logits, [0, 1, 2]) == pytest.approx(0, abs=1e-12)


def test_nothing_where_one_subclass_takes_all() -> None:
    logits = np.array([[500.0, 0.0, -500.0], [0.0, -500.0, 500.0]])
    assert label_bits(logits, [0, 0, 1]) == pytest.approx(0, abs=1e-12)


def test_all_of_it_where_nothing_is_known() -> None:
    assert label_bits(np.zeros((2, 8)), [0] * 4 + [1] * 4) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("logits", "of", "temperature", "said"),
    [
        (np.zeros((0, 3)), [0, 0, 1], 1.0, "do not fit"),
        (np.zeros((2, 4)), [0, 0, 1], 1.0, "do not fit"),
        (np.zeros(3), [0, 0, 1], 1.0, "do not fit"),
        (np.zeros((2, 3)), [0, 0, 1], 0.0, "not positive"),
    ],
)
def test_refusals(logits: np.ndarray, of: list[int], temperature: float, said: str) -> None:
    with pytest.raises(InputError, match=said):
        label_bits(logits, of, temperature)
