"""Painted images: of a class, a seed and a view alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from edgekd.data.synthetic import CLASSES, paint
from edgekd.errors import InputError

Image = npt.NDArray[np.uint8]


@pytest.mark.parametrize("label", CLASSES)
@pytest.mark.parametrize("size", [32, 65])
def test_paints_rgb_bytes_repeatably(label: str, size: int) -> None:
    image = paint(label, 3, size)
    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, paint(label, 3, size))


def test_every_seed_class_and_view_differs() -> None:
    painted = [paint(label, seed, 32).tobytes() for label in CLASSES for seed in range(5)]
    painted += [paint("mel", 0, 32, view=view).tobytes() for view in (1, 2)]
    assert len(set(painted)) == len(painted)


def test_global_random_state_is_left_alone() -> None:
    np.random.seed(1)  # noqa: NPY002
    before = paint("nv", 0, 48)
    np.random.seed(2)  # noqa: NPY002
    np.testing.assert_array_equal(before, paint("nv", 0, 48))


def test_no_image_is_blank() -> None:
    for label in CLASSES:
        for seed in range(10):
            assert paint(label, seed, 48).std() > 8


@pytest.mark.parametrize(
    ("label", "seed", "size", "view"),
    [("naevus", 0, 64, 0), ("nv", -1, 64, 0), ("nv", 0, 31, 0), ("nv", 0, 64, -1)],
)
def test_paint_refuses(label: str, seed: int, size: int, view: int) -> None:
    with pytest.raises(InputError) as caught:
        paint(label, seed, size, view=view)
    assert caught.value.hint


def test_views_share_the_patient_but_not_the_photograph() -> None:
    def gap(a: Image, b: Image) -> float:
        return float(np.abs(a.mean((0, 1)) - b.mean((0, 1))).mean())

    same = [gap(paint("nv", s, 48), paint("nv", s, 48, view=1)) for s in range(30)]
    other = [gap(paint("nv", s, 48), paint("nv", s + 100, 48)) for s in range(30)]
    assert 0 < np.mean(same) < np.mean(other)
