"""Layer-wise decay: which layers learn how fast."""

from __future__ import annotations

import pytest
import timm
from torch import nn

from edgekd.distill.training.layer_rates import layer_scales
from edgekd.errors import InputError
from edgekd.models import NormalisedNetwork


@pytest.mark.parametrize(
    ("arch", "options", "first", "last"),
    [
        ("resnet10t", {"channels": (4, 4, 8, 8), "stem_width": 4}, "conv1.0.weight", "fc.weight"),
        ("vit_tiny_patch16_224", {"img_size": 32, "depth": 2}, "cls_token", "head.weight"),
        ("mobilenetv2_035", {}, "conv_stem.weight", "classifier.weight"),
    ],
)
def test_each_layer_has_a_factor_of_the_one_behind_it(arch, options, first, last):
    network = timm.create_model(arch, num_classes=3, **options)
    scales = layer_scales([NormalisedNetwork(network, (0.5,) * 3, (0.5,) * 3)], 0.5)
    names = {name: scales[parameter] for name, parameter in network.named_parameters()}
    assert scales.keys() == set(network.parameters())
    depths = len(set(names.values()))
    assert sorted(set(names.values()), reverse=True) == [0.5**n for n in range(depths)]
    assert names[last] == 1.0
    assert names[first] == min(names.values())


def test_blocks_are_ordered_from_the_input_to_the_classifier():
    network = timm.create_model("vit_tiny_patch16_224", num_classes=3, img_size=32, depth=4)
    scales = layer_scales([network], 0.8)
    of_blocks = [scales[block.attn.qkv.weight] for block in network.blocks]
    assert of_blocks == sorted(of_blocks)
    assert len(set(of_blocks)) == 4


def test_other_modules_keep_the_rate_and_none_at_all_is_refused():
    network = timm.create_model("resnet10t", channels=(4, 4, 8, 8), stem_width=4)
    adapter = nn.Conv2d(2, 2, 1)
    assert adapter.weight not in layer_scales([network, adapter], 0.5)
    assert layer_scales([adapter], 1.0) == {}
    with pytest.raises(InputError, match="layer_decay") as caught:
        layer_scales([adapter], 0.5)
    assert "timm" in caught.value.hint
