"""The images of a search: crops, what is held out, what no search sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from searches import recipe_of
from small_space import SIDE, coloured, search_images

from edgekd.distill.samples.run_samples import RunSamples, load_samples
from edgekd.errors import InputError
from edgekd.recipe import AugmentSection
from edgekd.tune.supernet.images import images_of_samples, images_of_synthesis


def drawing(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_batch_is_drawn_again_from_the_same_numbers() -> None:
    images = search_images()
    batch = images.batch(8, drawing())
    assert batch.shape == (8, 3, SIDE, SIDE)
    assert 0.0 <= float(batch.min()) <= float(batch.max()) <= 1.0
    assert batch.equal(images.batch(8, drawing()))
    assert not batch.equal(images.batch(8, drawing(1)))


def test_unchanged_images_come_in_batches() -> None:
    images = search_images()
    batches = list(images.plain(20))
    assert [len(each) for each in batches] == [20, 12]
    assert torch.cat(batches).mul(255).round().to(torch.uint8).equal(images.unchanged)
    judging = torch.cat(list(images.judging(7)))
    assert judging.mul(255).round().to(torch.uint8).equal(images.held_out)


def test_crops_of_canvases_are_at_different_places() -> None:
    ramp = torch.arange(20).expand(1, 3, 20, 20).to(torch.uint8).repeat(6, 1, 1, 1)
    made = images_of_synthesis(ramp, torch.eye(6), SIDE, 0.5, AugmentSection(), 2)
    crops = made._crops(made.train.repeat(20, 1, 1, 1), drawing())
    assert crops.shape[-2:] == (SIDE, SIDE)
    firsts = set(crops[:, 0, 0, 0].tolist())
    assert firsts == {0, 1, 2, 3, 4}
    assert (crops[..., -1] - crops[..., 0]).unique().tolist() == [SIDE - 1]


def test_the_last_of_the_made_images_judge_by_the_teachers_answers() -> None:
    canvases, _ = coloured(10, 0, side=20)
    outputs = torch.randn(10, 4, generator=drawing())
    made = images_of_synthesis(canvases, outputs, SIDE, 0.3, AugmentSection(), 5)
    assert made.train.equal(canvases[:7])
    assert made.held_out.equal(canvases[7:, :, 2:18, 2:18])
    assert made.unchanged.equal(canvases[:5, :, 2:18, 2:18])
    assert made.targets.tolist() == outputs[7:].argmax(1).tolist()
    assert made.side == SIDE


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_some_images_teach_and_some_judge(share: float) -> None:
    made = images_of_synthesis(coloured(4, 0)[0], torch.eye(4), SIDE, share, AugmentSection(), 4)
    assert len(made.train) >= 1
    assert len(made.held_out) >= 1


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> RunSamples:
    return load_samples(recipe_of(tmp_path_factory.mktemp("images")))


def test_no_test_image_is_part_of_a_search(samples: RunSamples) -> None:
    images = images_of_samples(samples, AugmentSection(), 20)
    train, _ = samples.part("train")
    validation, targets = samples.part("validation")
    assert images.train.permute(0, 2, 3, 1).numpy().tolist() == train.tolist()
    assert images.held_out.permute(0, 2, 3, 1).numpy().tolist() == validation.tolist()
    assert images.targets is not None
    assert np.array_equal(images.targets, targets)
    known = {image.tobytes() for image in train}
    unchanged = images.unchanged.permute(0, 2, 3, 1).numpy()
    assert len(unchanged) == 20
    assert all(np.ascontiguousarray(image).tobytes() in known for image in unchanged)


def test_a_recipe_without_images_is_refused(samples: RunSamples) -> None:
    from dataclasses import replace

    none = replace(samples, images=samples.images[:0])
    with pytest.raises(InputError, match="it has none"):
        images_of_samples(none, AugmentSection(), 20)
