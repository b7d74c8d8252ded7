from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest
from manifests import make_manifest

from edgekd.bundle import MANIFEST, Bundle, pack_bundle, write_bundle, zip_bundle
from edgekd.bundle.manifest import decode_manifest


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_manifest_lists_every_other_file(folder: Path) -> None:
    manifest = decode_manifest((folder / MANIFEST).read_bytes())
    content = snapshot(folder)
    assert set(content) == {*manifest.files, MANIFEST}
    for name, entry in manifest.files.items():
        assert entry.size == len(content[name])
        assert entry.sha256 == hashlib.sha256(content[name]).hexdigest()


def test_returned_manifest_is_the_written_one(tmp_path: Path) -> None:
    source = tmp_path / "weights"
    source.write_bytes(b"w")
    written = write_bundle(tmp_path / "b", make_manifest(), {"model.onnx": source})
    assert Bundle.open(tmp_path / "b").manifest == written
    assert source.read_bytes() == b"w"


def test_rewrite_leaves_nothing_of_the_old_bundle(folder: Path) -> None:
    write_bundle(folder, make_manifest(), {"model.onnx": b"new"})
    assert set(snapshot(folder)) == {MANIFEST, "model.onnx"}
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]


@pytest.mark.parametrize("there", [True, False])
def test_interrupted_write_leaves_the_old_bundle_or_none(folder: Path, there: bool) -> None:
    out = folder if there else folder.parent / "new"
    before = snapshot(out)
    files = {"model.onnx": b"new", "gone.bin": folder.parent / "gone.bin"}
    with pytest.raises(FileNotFoundError):
        write_bundle(out, make_manifest(), files)
    assert snapshot(out) == before
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]


def test_interrupted_zip_leaves_the_old_file_or_none(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old.edgekd"
    old.write_bytes(b"old")

    def stop(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(zipfile.ZipFile, "writestr", stop)
    for out in (old, tmp_path / "new.edgekd"):
        with pytest.raises(KeyboardInterrupt):
            zip_bundle(folder, out)
    assert old.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "old.edgekd"]


def test_zip_is_the_same_bytes_every_time(folder: Path, zipped: Path) -> None:
    again = folder.parent / "again"
    files = {name: content for name, content in snapshot(folder).items() if name != MANIFEST}
    write_bundle(again, make_manifest(model_file="model.xml"), dict(reversed(files.items())))
    (again / MANIFEST).write_bytes((folder / MANIFEST).read_bytes())
    out = folder.parent / "again.edgekd"
    zip_bundle(again, out)
    assert out.read_bytes() == zipped.read_bytes()


def test_zip_holds_the_folder_uncompressed(folder: Path, zipped: Path) -> None:
    with zipfile.ZipFile(zipped) as archive:
        members = archive.infolist()
        assert {member.filename: archive.read(member) for member in members} == snapshot(folder)
    assert {member.compress_type for member in members} == {zipfile.ZIP_STORED}
    assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}


def test_a_packed_bundle_has_nothing_of_its_folder_besides(folder: Path, tmp_path: Path) -> None:
    zip_bundle(folder, tmp_path / "zip.edgekd")
    (folder / "patient.jpg").write_bytes(b"a face")
    with Bundle.open(folder) as bundle:
        pack_bundle(bundle, tmp_path / "packed.edgekd")
    packed = (tmp_path / "packed.edgekd").read_bytes()
    assert packed == (tmp_path / "zip.edgekd").read_bytes()
    with Bundle.open(tmp_path / "packed.edgekd") as bundle:
        pack_bundle(bundle, tmp_path / "again.edgekd")
    assert (tmp_path / "again.edgekd").read_bytes() == packed
