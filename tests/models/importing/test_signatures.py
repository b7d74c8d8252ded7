from __future__ import annotations

import pytest
import timm
import torch

from edgekd.errors import InputError
from edgekd.models import create_network
from edgekd.models.importing.signatures import (
    architectures_with,
    shapes_of_architecture,
    signature,
)
from edgekd.models.libraries import torchvision_networks

FEW = ["resnet18", "mobilenetv2_035", "test_vit", "torchvision:shufflenet_v2_x0_5",
       "torchvision:regnet_y_400mf"]  # fmt: skip


def shapes(network: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("arch", FEW)
def test_the_table_holds_what_the_libraries_make(arch: str) -> None:
    assert arch in architectures_with(signature(shapes_of_architecture(arch)))


@pytest.mark.slow
def test_the_table_holds_every_architecture() -> None:
    """`python -m edgekd.models.importing.signatures` writes it again."""
    every = timm.list_models() + [f"torchvision:{name}" for name in torchvision_networks.names()]
    lacking = [
        arch
        for arch in every
        if "128gf" not in arch  # gigabytes, which its constructor fills
        if arch not in architectures_with(signature(shapes_of_architecture(arch)))
    ]
    assert lacking == []


def test_the_number_of_classes_does_not_count_but_widths_and_names_do() -> None:
    tiny = {"channels": [8, 16, 16, 24], "stem_width": 8}
    three, ten = (shapes(create_network("resnet10t", count, tiny)) for count in (3, 10))
    assert signature(three) == signature(ten)
    wide = shapes(create_network("resnet10t", 3, tiny | {"stem_width": 16}))
    assert signature(three) != signature(wide)
    renamed = {f"net.{name}": shape for name, shape in three.items()}
    assert signature(three) != signature(renamed)
    counters = {n: s for n, s in three.items() if not n.endswith("num_batches_tracked")}
    assert signature(three) == signature(counters)


def test_shapes_take_no_memory_and_no_random_numbers() -> None:
    before = torch.get_rng_state()
    assert shapes_of_architecture("resnet10t")["fc.weight"] == (7, 512)
    assert torch.get_rng_state().equal(before)
    with pytest.raises(InputError, match="no architecture"):
        shapes_of_architecture("resnet-1000")
    assert architectures_with("no signature") == []
