"""The generator of images, and the labels that it makes them for."""

from __future__ import annotations

import pytest
import torch

from edgekd.distill.synthesis.generator import ImageGenerator, balanced_labels


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("size", [16, 32, 50, 64])
@pytest.mark.parametrize("classes", [0, 5])
def test_images_are_pixels_of_the_size(size, classes):
    generator = ImageGenerator(size, 8, 4, classes)
    labels = torch.arange(3) if classes else None
    images = generator(generator.noise(3, seeded()), labels).detach()
    assert images.shape == (3, 3, size, size)
    assert 0 <= float(images.min()) < float(images.max()) <= 1


def test_the_layers_for_32_pixels_are_those_of_the_released_code():
    shapes = [tuple(p.shape) for p in ImageGenerator(32, 256, 64).parameters() if p.ndim > 1]
    assert shapes == [
        (128 * 8 * 8, 256),
        (128, 128, 3, 3),
        (64, 128, 3, 3),
        (3, 64, 3, 3),
    ]


def test_an_image_depends_on_its_class():
    generator = ImageGenerator(32, 8, 4, 5).eval()
    noise = generator.noise(1, seeded()).repeat(2, 1)
    one, other = generator(noise, torch.tensor([0, 3]))
    assert not one.equal(other)


def test_a_reset_generator_is_new_and_the_other_random_numbers_stay():
    generator, twin = ImageGenerator(32, 8, 4), ImageGenerator(32, 8, 4)
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    generator.reset(seeded(1))
    assert torch.rand(3).equal(expected)
    assert not generator.first.weight.equal(before["first.weight"])
    twin.reset(seeded(1))
    assert all(t.equal(twin.state_dict()[name]) for name, t in generator.state_dict().items())


def test_a_reset_first_layer_has_small_weights_and_the_others_stay():
    generator = ImageGenerator(32, 8, 4)
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    generator.reset_first(seeded())
    assert float(generator.first.weight.detach().std()) == pytest.approx(0.02, rel=0.05)
    assert not generator.first.bias.any()
    for name, tensor in generator.layers.state_dict().items():
        assert tensor.equal(before[f"layers.{name}"])


@pytest.mark.parametrize("count", [5, 8, 64])
def test_labels_are_balanced_and_in_random_order(count):
    labels = balanced_labels(count, 5, seeded())
    numbers = torch.bincount(labels, minlength=5)
    assert labels.dtype == torch.int64
    assert len(labels) == count
    assert int(numbers.max() - numbers.min()) <= 1
    assert not labels.equal(balanced_labels(count, 5, seeded(1)))


def test_over_many_batches_every_class_is_as_frequent():
    drawn = seeded()
    labels = torch.cat([balanced_labels(7, 5, drawn) for _ in range(500)])
    assert torch.bincount(labels).double().std() < 25
