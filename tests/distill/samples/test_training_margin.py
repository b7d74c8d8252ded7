"""`augment.margin`: training crops from more pixels; validation sees what a device sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_runs import Make
from torch import Tensor

from edgekd.distill.runs import pipeline
from edgekd.distill.samples.run_samples import load_samples
from edgekd.distill.samples.sample_kinds import Labelled
from edgekd.models import NormalisedNetwork
from edgekd.recipe import AugmentSection, Recipe
from edgekd.runtime.preprocess import load_image


def test_training_images_are_the_same_square_with_more_pixels(recipe: Make) -> None:
    samples = load_samples(recipe(augment={"margin": 1.5}))
    size = samples.images.shape[1]
    assert samples.training_images.shape[1:] == (round(1.5 * size), round(1.5 * size), 3)
    for index in (0, 17):
        path = samples.split.dataset.paths()[index]
        np.testing.assert_array_equal(samples.images[index], load_image(path, size))
        expected = load_image(path, round(1.5 * size))
        np.testing.assert_array_equal(samples.training_images[index], expected)


def test_without_a_margin_they_are_the_same_array(recipe: Make) -> None:
    samples = load_samples(recipe())
    assert samples.training_images is samples.images
    assert samples.enlarged is None


@pytest.mark.parametrize(("margin", "side"), [(1.0, 96), (1.15, 110), (2.0, 192)])
def test_side_of_the_decoded_images(margin: float, side: int) -> None:
    assert AugmentSection(margin=margin).decoded_size(96) == side


@pytest.mark.parametrize("policy", ["light", "dermoscopy"])
def test_networks_see_the_size_of_the_recipe(
    recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    made: Recipe = recipe(augment={"margin": 1.5, "policy": policy})
    size, raw, seen = made.image_size, set(), set()
    batch, forward = Labelled.batch, NormalisedNetwork.forward

    def noted_batch(self: Labelled, loaded: Any, context: Any) -> Any:
        made = batch(self, loaded, context)
        raw.add(made.raw.shape[2:])
        return made

    def noted(self: NormalisedNetwork, pixels: Tensor) -> Any:
        seen.add((self.training, tuple(pixels.shape[2:])))
        return forward(self, pixels)

    monkeypatch.setattr(Labelled, "batch", noted_batch)
    monkeypatch.setattr(NormalisedNetwork, "forward", noted)
    pipeline.train(pipeline.RunRequest(made, tmp_path), "student")
    assert raw == {(round(1.5 * size),) * 2}
    assert seen == {(True, (size, size)), (False, (size, size))}
