"""What camera and patient add to an image, whatever the diagnosis."""

from __future__ import annotations

import numpy as np

from edgekd.data.synthetic.fields import grid
from edgekd.data.synthetic.nuisance import add_clutter, capture, light

GREY = np.full((64, 64, 3), 0.5, np.float32)


def test_light_is_nearly_even() -> None:
    for seed in range(20):
        lit = light(np.random.default_rng(seed), 64)
        assert lit.shape == (64, 64, 3)
        centre = lit[grid(64).radius < 0.7]
        assert 0.6 < centre.min() <= centre.max() < 1.4


def test_clutter_changes_some_images_and_leaves_others() -> None:
    changed = []
    for seed in range(60):
        image = GREY.copy()
        add_clutter(image, np.random.default_rng(seed))
        assert 0.0 <= image.min() <= image.max() <= 1.0
        changed.append(not np.array_equal(image, GREY))
    assert 20 < sum(changed) < 55


def test_a_camera_gives_noisy_bytes_of_the_same_brightness() -> None:
    stored = [capture(GREY, np.random.default_rng(seed)) for seed in range(20)]
    assert all(image.dtype == np.uint8 and image.shape == GREY.shape for image in stored)
    assert sum(image.std() > 0 for image in stored) > 10  # a strong JPEG removes weak noise
    centres = [image[24:40, 24:40].mean() for image in stored]
    assert abs(np.median(centres) - 127.5) < 2
