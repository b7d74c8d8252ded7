"""Features of many images: those that a network's classifier reads, whatever the batch."""

from __future__ import annotations

import numpy as np
import timm
import torch

from edgekd.models import NormalisedNetwork, logits_of
from edgekd.models.embeddings import embeddings_of


def test_the_classifier_on_them_gives_the_logits() -> None:
    torch.manual_seed(0)
    plain = timm.create_model("resnet10t", num_classes=3, channels=(4, 4, 8, 8), stem_width=4)
    network = NormalisedNetwork(plain, (0.5,) * 3, (0.25,) * 3)
    images = np.random.default_rng(0).integers(0, 256, (70, 32, 32, 3)).astype(np.uint8)
    network.train()
    found = embeddings_of(network, images)
    assert found.shape == (70, 8)
    assert found.dtype == np.float32
    weight, bias = (p.detach().numpy() for p in (plain.fc.weight, plain.fc.bias))
    np.testing.assert_allclose(found @ weight.T + bias, logits_of(network, images), atol=1e-4)
