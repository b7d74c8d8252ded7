"""Files in a folder of a bundle that its manifest does not list among its own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from manifests import make_manifest

from edgekd.bundle import Bundle, FileEntry, write_bundle
from edgekd.bundle.beside import files_beside, model_beside
from edgekd.errors import ArtefactError

CONTENT = {"net.xml": b"<net/>", "net.bin": b"weights"}
ENTRIES = {
    name: FileEntry(sha256=hashlib.sha256(raw).hexdigest(), size=len(raw))
    for name, raw in CONTENT.items()
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    out = tmp_path / "bundle"
    write_bundle(out, make_manifest(), {"model.onnx": b"a model"})
    (out / "more").mkdir()
    for name, raw in CONTENT.items():
        (out / "more" / name).write_bytes(raw)
    return out


def test_they_are_read_below_their_folder(bundle: Path) -> None:
    with Bundle.open(bundle) as opened:
        assert files_beside(opened, "more", ENTRIES) == {
            f"more/{name}": raw for name, raw in CONTENT.items()
        }
        model = model_beside(opened, "more", "net.xml", ENTRIES, "the files of a test")
        assert model is not None
        assert model.read("net.bin") == b"weights"
        assert files_beside(opened, "none", ENTRIES) == {}
        assert model_beside(opened, "none", "net.xml", ENTRIES, "the files of a test") is None


def test_a_part_of_them_or_no_main_file_is_damage(bundle: Path) -> None:
    with Bundle.open(bundle) as opened:
        with pytest.raises(ArtefactError, match="the files of a test have no file 'other'"):
            model_beside(opened, "more", "other", ENTRIES, "the files of a test")
        (bundle / "more" / "net.bin").unlink()
        with pytest.raises(ArtefactError, match=r"more/net\.bin is missing"):
            files_beside(opened, "more", ENTRIES)


def test_a_name_that_leads_out_is_refused(bundle: Path) -> None:
    out = {"../model.onnx": ENTRIES["net.xml"]}
    with Bundle.open(bundle) as opened, pytest.raises(ArtefactError, match="leads out"):
        files_beside(opened, "more", out)
