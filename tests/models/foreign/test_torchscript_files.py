from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
import torch
from colours import colours_network
from model_files import write_torchscript

from edgekd.errors import InputError
from edgekd.models.foreign.torchscript_files import TorchScriptNetwork


def test_it_gives_what_the_network_gives(tmp_path: Path) -> None:
    network = TorchScriptNetwork(write_torchscript(tmp_path / "a.pt"))
    images = torch.rand(3, 3, 40, 40)
    with torch.no_grad():
        expected = colours_network()(images)
    torch.testing.assert_close(network(images), expected)
    assert not network(images.requires_grad_()).requires_grad
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert twin(images).equal(network(images))
    assert list(network.parameters()) == []


def test_damaged_files(tmp_path: Path) -> None:
    file = write_torchscript(tmp_path / "a.pt")
    file.write_bytes(file.read_bytes()[:-300])
    with pytest.raises(InputError, match="no TorchScript that PyTorch opens") as caught:
        TorchScriptNetwork(file)
    assert "\n" not in caught.value.message
