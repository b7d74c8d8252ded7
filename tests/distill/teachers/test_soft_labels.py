"""The file of soft labels."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
import torch
from safetensors import safe_open

from edgekd.distill.teachers.soft_labels import (
    SoftLabelFacts,
    SoftLabels,
    read_soft_labels,
    write_soft_labels,
)
from edgekd.errors import ArtefactError

FACTS = SoftLabelFacts(
    task="classification", classes=("a", "b"), outputs=("a", "b"), views={"number": 2, "seed": 0},
    image_size=32, resize="rule", teacher={"sha256": "0"}, data={"name": "x", "sha256": "1"},
)  # fmt: skip
LABELS = SoftLabels(
    FACTS, torch.rand(3, 2, 2), torch.tensor([4, 0, 7]), ("ä/1.png", "2.png", "3.png"),
    torch.rand(3, 2, 5),
)  # fmt: skip


def test_what_is_written_is_read(tmp_path):
    write_soft_labels(tmp_path / "f", LABELS)
    found = read_soft_labels(tmp_path / "f")
    assert found.facts == FACTS
    assert found.names == LABELS.names
    for name in ("logits", "indices", "pooled"):
        assert getattr(found, name).equal(getattr(LABELS, name))
    write_soft_labels(tmp_path / "f", replace(LABELS, pooled=None))
    assert read_soft_labels(tmp_path / "f").pooled is None


def test_any_reader_of_safetensors_learns_what_the_rows_are(tmp_path):
    write_soft_labels(tmp_path / "f", LABELS)
    with safe_open(tmp_path / "f", "np") as stored:
        about = msgspec.json.decode(stored.metadata()["edgekd"])
    assert about["rows"] == ["image", "view"]
    assert about["temperature"] is None
    assert about["classes"] == ["a", "b"]


def test_damaged_and_strange_files_are_refused(tmp_path):
    file = tmp_path / "f"
    write_soft_labels(file, LABELS)
    whole = file.read_bytes()
    file.write_bytes(whole[:-8])
    with pytest.raises(ArtefactError, match="damaged"):
        read_soft_labels(file)
    with pytest.raises(ArtefactError):
        read_soft_labels(tmp_path / "missing")
    write_soft_labels(file, replace(LABELS, names=("1",)))
    with pytest.raises(ArtefactError, match="do not match"):
        read_soft_labels(file)
    later = msgspec.structs.replace(FACTS, format_version="2.0")
    write_soft_labels(file, replace(LABELS, facts=later))
    with pytest.raises(ArtefactError, match="format version 2"):
        read_soft_labels(file)
