from __future__ import annotations

from pathlib import Path

import pytest
import torch
from colours import colours_network
from model_files import write_exported, write_lightning, write_onnx, write_torchscript
from safetensors.torch import save_file

from edgekd.errors import InputError
from edgekd.models.importing.kinds import KINDS, kind_of


def name_of(source: Path) -> str:
    return kind_of(source).__name__.rpartition(".")[2]  # type: ignore[attr-defined]


def test_files_are_recognised_by_their_content(tmp_path: Path) -> None:
    state = colours_network().state_dict()
    torch.save(state, tmp_path / "a.weights")
    torch.save(state, tmp_path / "b.pt", _use_new_zipfile_serialization=False)
    save_file(state, tmp_path / "c.bin")
    write_lightning(tmp_path / "d.pth", state)
    write_torchscript(tmp_path / "e.pt")
    write_exported(tmp_path / "f.pt2").rename(tmp_path / "f.pt")
    write_onnx(tmp_path / "g.onnx").rename(tmp_path / "g.model")
    (tmp_path / "h").mkdir()
    (tmp_path / "h" / "config.json").write_text("{}")
    names = {file.name: name_of(file) for file in tmp_path.iterdir()}
    assert names == {
        "a.weights": "state_dicts", "b.pt": "state_dicts", "c.bin": "state_dicts",
        "d.pth": "lightning_checkpoints", "e.pt": "torchscript", "f.pt": "exported_programs",
        "g.model": "onnx_models", "h": "hugging_face",
    }  # fmt: skip
    assert {f"edgekd.models.importing.{name}" for name in names.values()} <= set(KINDS)


@pytest.mark.parametrize("content", [b"some words", bytes(range(64))])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(InputError, match="of an unknown kind") as caught:
        kind_of(tmp_path / "a.bin")
    assert "Lightning" in caught.value.hint
    with pytest.raises(InputError, match=r"without config\.json"):
        kind_of(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        kind_of(tmp_path / "absent")
