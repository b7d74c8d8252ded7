from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from edgekd.errors import InputError, MissingDependencyError
from edgekd.models.libraries.transformers_networks import create

CONFIG: dict[str, Any] = {
    "model_type": "resnet", "embedding_size": 4, "hidden_sizes": [4, 8], "depths": [1, 1],
    "layer_type": "basic",
}  # fmt: skip
NAME = "ResNetForImageClassification"


def test_a_classifier_of_transformers() -> None:
    pytest.importorskip("transformers", reason="pip install 'edgekd[transformers]'")
    network = create(NAME, 5, CONFIG).eval()
    with torch.no_grad():
        assert network(torch.rand(2, 3, 32, 32)).shape == (2, 5)
    for name, options, words in [
        ("ResNetModel", CONFIG, "no image classifier"),
        ("NoForImageClassification", CONFIG, "no image classifier"),
        (NAME, CONFIG | {"model_type": "no"}, "cannot be made"),
        (NAME, CONFIG | {"depths": "x"}, "cannot be made"),
    ]:
        with pytest.raises(InputError, match=words) as caught:
            create(name, 5, options)
        assert "\n" not in caught.value.message


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependencyError, match="transformers is not installed") as caught:
        create(NAME, 5, CONFIG)
    assert caught.value.hint == "pip install 'edgekd[transformers]'"
