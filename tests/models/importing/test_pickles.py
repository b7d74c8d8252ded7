from __future__ import annotations

import argparse
import pathlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from edgekd.errors import InputError
from edgekd.models.importing.pickles import is_pickle, pickled_bytes, read_tensors

STATE = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}


class Coded:
    """Leaves a file when its pickle is read."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return (Path.touch, (self.trace,))


def refused(file: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_tensors(file)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("new", [True, False], ids=["archive", "legacy"])
def test_tensors_and_plain_values_are_read(tmp_path: Path, new: bool) -> None:
    beside = {"args": argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("runs")),
              "best": np.float64(0.5), "step": np.int64(3), "curve": np.arange(3.0)}  # fmt: skip
    file = tmp_path / "w.pth"
    torch.save({"state_dict": STATE, **beside}, file, _use_new_zipfile_serialization=new)
    content = read_tensors(file)
    assert content["state_dict"]["weight"].equal(STATE["weight"])
    assert content["args"].lr == 0.1
    assert is_pickle(file.read_bytes()[:8])


def test_safetensors_are_read_whatever_the_suffix(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "w.pth")
    assert read_tensors(tmp_path / "w.pth")["bias"].equal(STATE["bias"])
    (tmp_path / "w.pth").write_bytes((tmp_path / "w.pth").read_bytes()[:-4])
    assert "copy it again" in refused(tmp_path / "w.pth").hint


@pytest.mark.parametrize("new", [True, False], ids=["archive", "legacy"])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path: Path, new: bool) -> None:
    file, trace = tmp_path / "w.pth", tmp_path / "trace"
    content = {"state_dict": STATE, "extra": Coded(trace)}
    torch.save(content, file, _use_new_zipfile_serialization=new)
    error = refused(file)
    assert "could run code" in error.message
    assert "state_dict" in error.hint
    assert "--trust-code" in error.hint
    assert not trace.exists()
    read_tensors(file, trust_code=True)
    assert trace.exists()


def test_a_whole_network_is_named_by_its_classes_and_read_where_trusted(tmp_path: Path) -> None:
    torch.save(nn.Sequential(nn.Linear(3, 2)), tmp_path / "w.pth")
    assert "torch.nn.modules.container.Sequential" in refused(tmp_path / "w.pth").message
    assert isinstance(read_tensors(tmp_path / "w.pth", trust_code=True), nn.Sequential)


@pytest.mark.parametrize("new", [True, False], ids=["archive", "legacy"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_reported_as_damaged(
    tmp_path: Path, new: bool, share: float
) -> None:
    file = tmp_path / "w.pth"
    torch.save({"state_dict": STATE}, file, _use_new_zipfile_serialization=new)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    assert "damaged or cut off" in refused(file).hint


def test_the_words_of_a_pickle_are_seen_without_reading_it(tmp_path: Path) -> None:
    torch.save({"pytorch-lightning_version": "2"}, tmp_path / "w.ckpt")
    assert b"pytorch-lightning_version" in pickled_bytes(tmp_path / "w.ckpt")
    (tmp_path / "w.ckpt").write_bytes(b"PK nothing")
    assert pickled_bytes(tmp_path / "w.ckpt") == b""
