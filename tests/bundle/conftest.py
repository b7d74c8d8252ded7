"""A small whole bundle, as a folder and as a zip."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from manifests import make_manifest

from edgekd.bundle import write_bundle, zip_bundle

FILES: dict[str, bytes] = {
    "model.xml": b"<net/>" * 20,
    "model.bin": bytes(range(256)) * 8,
    "selftest.npz": b"vectors",
    "app/card.md": "café\n".encode(),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    out = tmp_path / "bundle"
    write_bundle(out, make_manifest(model_file="model.xml"), FILES)
    return out


@pytest.fixture
def zipped(folder: Path, tmp_path: Path) -> Path:
    out = tmp_path / "bundle.edgekd"
    zip_bundle(folder, out)
    return out


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that temporary folders are made in."""
    home = tmp_path / "temporary"
    home.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    return home
