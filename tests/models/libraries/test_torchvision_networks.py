from __future__ import annotations

from typing import Any

import pytest

from edgekd.errors import InputError
from edgekd.models.libraries.torchvision_networks import create, names


def test_a_network_of_torchvision() -> None:
    network = create("shufflenet_v2_x0_5", 5, {})
    assert network.state_dict()["fc.weight"].shape == (5, 1024)
    assert "resnet50" in names()


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("resnet-50", {}, "torchvision has no architecture 'resnet-50'"),
        ("fcn_resnet50", {}, "no architecture"),
        ("resnet18", {"weights": "DEFAULT"}, "`weights` is no option"),
        ("resnet18", {"depth": 3}, "cannot be made with the options"),
    ],
)
def test_what_torchvision_does_not_have(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        create(name, 5, options)
    assert "\n" not in caught.value.message
