from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgekd.models import NormalisedNetwork, logits_of, pixels_of  # noqa: E402

MEAN, STD = (0.7, 0.55, 0.5), (0.2, 0.25, 0.3)
IMAGES = np.random.default_rng(0).integers(0, 256, (7, 12, 12, 3)).astype(np.uint8)


def make_network() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4, 3))


def test_equals_normalising_by_hand() -> None:
    network = make_network().eval()
    pixels = IMAGES.astype(np.float32).transpose(0, 3, 1, 2) / 255
    by_hand = (pixels - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))
    with torch.no_grad():
        expected = network(torch.from_numpy(by_hand.astype(np.float32)))
        found = NormalisedNetwork(network, MEAN, STD)(pixels_of(torch.from_numpy(IMAGES)))
    torch.testing.assert_close(found, expected)


def test_pixels_lie_between_0_and_1_channels_first() -> None:
    pixels = pixels_of(torch.tensor([[[[0, 128, 255]]]], dtype=torch.uint8))
    assert pixels.shape == (1, 3, 1, 1)
    assert pixels.flatten().tolist() == pytest.approx([0, 128 / 255, 1])


def test_normalisation_is_no_part_of_the_weights() -> None:
    network = make_network()
    names = NormalisedNetwork(network, MEAN, STD).state_dict().keys()
    assert names == {f"network.{name}" for name in network.state_dict()}


@pytest.mark.parametrize("batch_size", [1, 3, 7, 64])
def test_logits_do_not_depend_on_the_batch_size(batch_size: int) -> None:
    network = NormalisedNetwork(make_network(), MEAN, STD).train()
    logits = logits_of(network, IMAGES, batch_size)
    assert logits.shape == (7, 3)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, logits_of(network, IMAGES), atol=1e-6)
    assert not network.training


def test_logits_of_images_mapped_read_only(tmp_path: object) -> None:
    images = IMAGES.copy()
    images.flags.writeable = False
    network = NormalisedNetwork(make_network(), MEAN, STD)
    np.testing.assert_array_equal(logits_of(network, images), logits_of(network, IMAGES))
