"""The network of inverted residuals: its shapes, its multiply-accumulates, its way into a file."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgekd.errors import InputError
from edgekd.models import count_macs, create_network
from edgekd.models.features import features_of
from edgekd.models.mobile import Mobile, MobileOptions, mobile_macs
from edgekd.recipe import convert

OPTIONS = {
    "stem": 4,
    "stages": [
        {"width": 4, "kernels": [3], "expansion": 1},
        {"width": 8, "kernels": [5, 3], "stride": 2, "expansion": 3},
        {"width": 8, "kernels": [3], "expansion": 2},
    ],
    "head": 16,
}


def options(**changes: object) -> MobileOptions:
    return convert({**OPTIONS, **changes}, MobileOptions, "the test's options")


@pytest.mark.parametrize("size", [32, 33, 45])
@pytest.mark.parametrize("changes", [{}, {"stem_stride": 1}, {"head": 0}])
def test_macs_by_the_formula_are_those_that_are_counted(size: int, changes: dict[str, int]) -> None:
    network = Mobile(options(**changes), 7)
    assert mobile_macs(options(**changes), 7, size) == count_macs(network, size)


def test_stages_have_the_blocks_that_are_written_out() -> None:
    network = Mobile(options(), 5)
    depthwise = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
    assert [m.kernel_size[0] for m in depthwise] == [3, 5, 3, 3]
    assert [m.stride[0] for m in depthwise] == [1, 2, 1, 1]
    assert [m.groups for m in depthwise] == [4, 12, 24, 16]
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 5)


def test_a_block_adds_what_it_receives_where_shapes_agree() -> None:
    network = Mobile(options(), 5).eval()
    adding = [block.adds for stage in network.stages for block in stage]
    assert adding == [True, False, True, True]
    block = network.stages[2][0]
    nn.init.zeros_(block.project[1].weight)
    maps = torch.randn(2, 8, 4, 4)
    assert block(maps).equal(maps)


def test_features_are_those_between_its_halves() -> None:
    network = Mobile(options(), 5).eval()
    images = torch.randn(2, 3, 32, 32)
    features = features_of(network, images)
    assert features.features.shape == (2, 16, 8, 8)
    assert features.pooled.shape == (2, 16)
    assert features.logits.equal(network(images))


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(InputError, match="odd"):
        options(stages=[{"width": 4, "kernels": [4]}])


def test_a_recipe_names_it() -> None:
    assert isinstance(create_network("edgekd:mobile", 5, OPTIONS), Mobile)
