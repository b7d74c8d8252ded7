from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from edgekd.errors import InputError
from edgekd.models import create_network
from edgekd.models.importing.request import ImportRequest
from edgekd.models.importing.state_dicts import read

TINY: dict[str, Any] = {"channels": [8, 16, 16, 24], "stem_width": 8}


def request(file: Path, **changed: Any) -> ImportRequest:
    return ImportRequest(file, ("a", "b"), **({"arch": "resnet10t", "options": TINY} | changed))


def test_a_timm_network_in_safetensors(tmp_path: Path) -> None:
    network = create_network("resnet10t", 2, TINY).eval()
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    model = read(request(tmp_path / "w.safetensors"))
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert model.network(images).equal(network(images))
    assert (model.arch, model.options) == ("resnet10t", TINY)
    assert model.preprocessing[0].size == 176
    assert "safetensors" not in model.kind


def test_a_torchvision_network_is_found_by_its_keys(tmp_path: Path) -> None:
    network = create_network("torchvision:shufflenet_v2_x0_5", 2).eval()
    torch.save({f"module.{k}": v for k, v in network.state_dict().items()}, tmp_path / "w.pth")
    model = read(ImportRequest(tmp_path / "w.pth", ("a", "b")))
    assert model.arch == "torchvision:shufflenet_v2_x0_5"
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert model.network(images).equal(network(images))


def test_the_moving_average_is_taken_and_the_other_weights_are_named(tmp_path: Path) -> None:
    plain, average = (create_network("resnet10t", 2, TINY).state_dict() for _ in range(2))
    torch.save({"state_dict": plain, "state_dict_ema": average}, tmp_path / "w.pth.tar")
    model = read(request(tmp_path / "w.pth.tar"))
    assert model.network.state_dict()["fc.weight"].equal(average["fc.weight"])
    assert any("there are also state_dict" in note for note in model.notes)
    model = read(request(tmp_path / "w.pth.tar", weights="state_dict"))
    assert model.network.state_dict()["fc.weight"].equal(plain["fc.weight"])


def test_a_whole_network_needs_trust(tmp_path: Path) -> None:
    torch.save(create_network("resnet10t", 2, TINY), tmp_path / "w.pth")
    with pytest.raises(InputError, match="could run code"):
        read(request(tmp_path / "w.pth"))
    model = read(request(tmp_path / "w.pth", trust_code=True))
    assert model.kind == "a whole network of PyTorch"


def test_the_file_is_named_where_nothing_fits(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.ones(2, 2), "a.bias": torch.ones(2)}, tmp_path / "w.pth")
    for arch in (None, "resnet10t"):
        with pytest.raises(InputError, match=r"w\.pth"):
            read(request(tmp_path / "w.pth", arch=arch))
