from __future__ import annotations

from pathlib import Path

import pytest
import torch
from model_files import write_lightning

from edgekd.errors import InputError
from edgekd.models import create_network
from edgekd.models.importing.lightning_checkpoints import read, recognises
from edgekd.models.importing.request import ImportRequest

TINY = {"channels": [8, 16, 16, 24], "stem_width": 8}


def test_the_network_inside_of_a_module(tmp_path: Path) -> None:
    network = create_network("resnet10t", 2, TINY).eval()
    file = write_lightning(tmp_path / "last.ckpt", network.state_dict())
    assert recognises(file, file.read_bytes()[:64])
    model = read(ImportRequest(file, ("a", "b"), "resnet10t", TINY))
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert model.network(images).equal(network(images))
    assert model.notes[0].startswith("a checkpoint of Lightning:")
    assert "prefix net. taken off; 1 beside them are left (loss.weight" in model.notes[0]


def test_a_plain_state_dict_is_none(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "w.ckpt")
    assert not recognises(tmp_path / "w.ckpt", (tmp_path / "w.ckpt").read_bytes()[:64])


def test_an_architecture_that_is_not_inside(tmp_path: Path) -> None:
    network = create_network("resnet10t", 2, TINY)
    file = write_lightning(tmp_path / "last.ckpt", network.state_dict())
    with pytest.raises(InputError, match=r"last\.ckpt: the weights are not those of resnet18"):
        read(ImportRequest(file, ("a", "b"), "resnet18"))
