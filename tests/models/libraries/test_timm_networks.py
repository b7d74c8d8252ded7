from __future__ import annotations

import pytest

from edgekd.errors import InputError
from edgekd.models.libraries.timm_networks import create


def test_a_network_of_timm() -> None:
    network = create("resnet10t", 5, {"channels": [8, 16, 16, 24], "stem_width": 8})
    assert network.state_dict()["fc.weight"].shape == (5, 24)


def test_what_timm_does_not_have() -> None:
    with pytest.raises(InputError, match="timm has no architecture 'resnet-50'") as caught:
        create("resnet-50", 5, {})
    assert "resnet50" in caught.value.hint
    with pytest.raises(InputError, match="`num_classes` is no option"):
        create("resnet10t", 5, {"num_classes": 3})
