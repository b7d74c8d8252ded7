from __future__ import annotations

from collections import Counter

import cv2
import numpy as np
import pytest

from edgekd.data import Sample, Split, dataset_of, decode_images
from edgekd.errors import InputError
from edgekd.lower.int8.calibration import MIN_IMAGES, draw_calibration
from edgekd.runtime.preprocess import load_image

COUNTS = {"df": 10, "mel": 40, "nv": 90}


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Split:
    """140 images, of which every tenth is for validation and every tenth for the test."""
    root = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    samples = []
    for label, count in COUNTS.items():
        for number in range(count):
            name = f"{label}-{number}.png"
            assert cv2.imwrite(str(root / name), rng.integers(0, 256, (16, 16, 3)).astype(np.uint8))
            samples.append(Sample(name, label, name))
    parts = {3: "validation", 7: "test"}
    named = tuple(parts.get(index % 10, "train") for index in range(len(samples)))
    return Split(dataset_of("x", root, samples), named)


def pixels(split: Split, size: int = 8) -> np.ndarray:
    return decode_images(split.dataset.paths(), size)


def labels(split: Split, indices: tuple[int, ...]) -> Counter[str]:
    return Counter(split.dataset.samples[index].label for index in indices)


def test_only_training_images_are_drawn(split: Split) -> None:
    drawn = draw_calibration(split, pixels(split, 16), images=10_000)
    assert sorted(drawn.indices) == split.indices("train")
    assert {split.parts[index] for index in drawn.indices} == {"train"}


def test_images_are_those_of_the_indices(split: Split) -> None:
    drawn = draw_calibration(split, pixels(split, 8), images=70)
    assert drawn.images.shape == (70, 8, 8, 3)
    paths = split.dataset.paths(drawn.indices)
    for path, image in zip(paths, drawn.images, strict=True):
        np.testing.assert_array_equal(image, load_image(path, 8))


def test_draw_is_as_even_as_the_data(split: Split) -> None:
    assert labels(split, draw_calibration(split, pixels(split, 8), images=64).indices) == {
        "df": 8, "mel": 28, "nv": 28,
    }  # fmt: skip
    assert labels(split, draw_calibration(split, pixels(split, 8), images=90).indices) == {
        "df": 8, "mel": 32, "nv": 50,
    }  # fmt: skip


def test_no_image_is_drawn_twice(split: Split) -> None:
    drawn = draw_calibration(split, pixels(split, 8), images=90)
    assert len(set(drawn.indices)) == len(drawn.indices) == 90


def test_draw_is_deterministic_and_follows_its_seed(split: Split) -> None:
    one, again = (draw_calibration(split, pixels(split, 8), images=70, seed=1) for _ in range(2))
    other = draw_calibration(split, pixels(split, 8), images=70, seed=2)
    assert one.indices == again.indices
    assert one.sha256 == again.sha256
    np.testing.assert_array_equal(one.images, again.images)
    assert one.sha256 != other.sha256


def test_record_says_part_number_list_and_hash(split: Split) -> None:
    drawn = draw_calibration(split, pixels(split, 8), images=70)
    names = [split.dataset.samples[index].image for index in drawn.indices]
    assert drawn.record() == {
        "part": "train", "images": 70, "sha256": drawn.sha256, "list": names,
    }  # fmt: skip


@pytest.mark.parametrize("images", [0, 1, MIN_IMAGES - 1])
def test_too_few_asked_for(split: Split, images: int) -> None:
    with pytest.raises(InputError, match=f"{images} calibration images are fewer than 64"):
        draw_calibration(split, pixels(split, 8), images=images)


def test_too_few_to_draw_from(split: Split) -> None:
    parts = ["test"] * len(split.parts)
    parts[:63] = ["train"] * 63
    with pytest.raises(InputError, match="63 calibration images are fewer than 64"):
        draw_calibration(Split(split.dataset, tuple(parts)), pixels(split))
    parts[63] = "train"
    assert len(draw_calibration(Split(split.dataset, tuple(parts)), pixels(split)).indices) == 64
