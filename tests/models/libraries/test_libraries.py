from __future__ import annotations

import pytest

from edgekd.models import create_network
from edgekd.models.libraries import LIBRARIES, is_own_class, library_of


@pytest.mark.parametrize(
    ("arch", "module", "name"),
    [
        ("resnet50", "timm_networks", "resnet50"),
        ("timm:resnet50", "timm_networks", "resnet50"),
        ("torchvision:resnet50", "torchvision_networks", "resnet50"),
        ("transformers:ResNetForImageClassification", "transformers_networks",
         "ResNetForImageClassification"),
        ("checkpoint:/a/b:c", "checkpoints", "/a/b:c"),
        ("package.module:Class", "user_classes", "package.module:Class"),
    ],
)  # fmt: skip
def test_the_library_of_an_architecture(arch: str, module: str, name: str) -> None:
    library = library_of(arch)
    assert library.library.__name__ == f"edgekd.models.libraries.{module}"  # type: ignore[attr-defined]
    assert library.name == name
    assert is_own_class(arch) == (module == "user_classes")
    assert module == "user_classes" or arch.partition(":")[0] in (*LIBRARIES, "resnet50")


def test_networks_of_two_libraries() -> None:
    for arch in ("test_vit", "torchvision:shufflenet_v2_x0_5"):
        assert list(create_network(arch, 3).state_dict())
