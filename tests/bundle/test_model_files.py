"""The model's files, on disk or in memory."""

from __future__ import annotations

from pathlib import Path

from manifests import make_manifest

from edgekd.bundle import (
    Bundle,
    write_bundle,
    zip_bundle,
)


def test_a_folder_stays_on_disk_and_a_zip_in_memory(folder: Path, zipped: Path) -> None:
    assert Bundle.open(folder).model.path == folder / "model.xml"
    assert Bundle.open(zipped).model.path is None


def test_model_in_memory_has_its_listed_neighbours_alone(tmp_path: Path) -> None:
    manifest = make_manifest(model_file="net/model.xml")
    files = {"net/model.xml": b"<net/>", "net/model.bin": b"w", "model.bin": b"another"}
    write_bundle(tmp_path / "b", manifest, files)
    (tmp_path / "b" / "net" / "stowaway.bin").write_bytes(b"x")
    zip_bundle(tmp_path / "b", tmp_path / "b.edgekd")
    model = Bundle.open(tmp_path / "b.edgekd").model
    assert model.name == "model.xml"
    assert model.contents == {"model.xml": b"<net/>", "model.bin": b"w"}
