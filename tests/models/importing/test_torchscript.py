from __future__ import annotations

from pathlib import Path

import torch
from model_files import write_torchscript

from edgekd.models.importing.request import ImportRequest
from edgekd.models.importing.torchscript import read, recognises


def test_torchscript(tmp_path: Path) -> None:
    file = write_torchscript(tmp_path / "a.pt")
    assert recognises(file, file.read_bytes()[:64])
    model = read(ImportRequest(file))
    assert (model.kind, model.arch) == ("TorchScript", "TorchScript")
    torch.save({"a": torch.ones(1)}, file)
    assert not recognises(file, file.read_bytes()[:64])
    file.write_bytes(b"PK, and nothing more")
    assert not recognises(file, b"PK")
