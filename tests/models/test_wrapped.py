from __future__ import annotations

import torch
from torch import nn

from edgekd.models import create_network
from edgekd.models.features import features_of
from edgekd.models.own_size import OwnSize
from edgekd.models.wrapped import Reordered, Wrapped


def test_outputs_in_another_order() -> None:
    outputs = torch.rand(2, 3)
    assert Reordered(nn.Identity(), [2, 0, 1])(outputs).equal(outputs[:, [2, 0, 1]])
    assert Wrapped(nn.Identity())(outputs) is outputs


def test_features_are_those_of_the_inner_network() -> None:
    network = create_network("resnet10t", 3, {"channels": [8, 16, 16, 24], "stem_width": 8}).eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        plain = features_of(network, images)
        made = features_of(OwnSize(Reordered(network, [2, 1, 0]), 64), images)
        assert made.features.equal(plain.features)
        assert made.pooled.equal(plain.pooled)
        assert made.logits.equal(plain.logits.flip(1))
