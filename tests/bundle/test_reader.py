"""Nothing of a bundle is believed, and every refusal says exit 6."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from manifests import make_manifest

from edgekd.bundle import MANIFEST, Bundle, FileEntry, Manifest, write_bundle, zip_bundle
from edgekd.bundle.manifest import encode_manifest
from edgekd.bundle.reader import MAX_FILE_BYTES, MAX_MANIFEST_BYTES
from edgekd.errors import ArtefactError, InputError

ESCAPES = [
    "../x", "a/../../x", "/etc/passwd", "a\\b", "..\\x", "C:x", "c:/x", ".", "./x", "a//b", "a/",
    "", "a/..", "a/./b",
]  # fmt: skip


def refusal(path: Path) -> ArtefactError:
    with pytest.raises(ArtefactError) as caught:
        Bundle.open(path)
    assert caught.value.exit_code == 6
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


def with_entry(folder: Path, name: str, entry: FileEntry) -> None:
    manifest = Bundle.open(folder).manifest
    files = manifest.files | {name: entry}
    (folder / MANIFEST).write_bytes(encode_manifest(msgspec.structs.replace(manifest, files=files)))


def with_member(zipped: Path, name: str, content: bytes = b"x", how: int = 0) -> Path:
    with zipfile.ZipFile(zipped, "a") as archive:
        member = zipfile.ZipInfo("placeholder", (1980, 1, 1, 0, 0, 0))
        member.filename = name
        archive.writestr(member, content, compress_type=how)
    return zipped


@pytest.fixture(params=["folder", "zipped"])
def either(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


def test_opens(either: Path, temporary: Path) -> None:
    with Bundle.open(either) as bundle:
        assert bundle.manifest.model.classes == ("bkl", "mel", "nv")
        assert bundle.model_path.read_bytes().startswith(b"<net/>")
        assert (bundle.folder / "app/card.md").read_text(encoding="utf-8") == "café\n"
        assert bundle.size_bytes == 120 + 2048  # model.xml with its model.bin, not the rest
        assert bundle.path == either
    assert either.exists()
    assert not list(temporary.iterdir())


def test_opens_a_path_given_as_text(folder: Path) -> None:
    assert Bundle.open(str(folder)).folder == folder


def test_close_twice_and_after_the_files_are_gone(zipped: Path, temporary: Path) -> None:
    bundle = Bundle.open(zipped)
    assert len(list(temporary.iterdir())) == 1
    zipped.unlink()
    assert bundle.model_path.is_file()
    bundle.close()
    bundle.close()
    assert not list(temporary.iterdir())


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no bundle at") as caught:
        Bundle.open(tmp_path / "absent")
    assert caught.value.exit_code == 2


def test_what_is_no_bundle(tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "has no manifest.json" in refusal(tmp_path / "empty").message
    for name, content in {"text": b"hello", "none": b"", "image": b"\xff\xd8\xff\xe0"}.items():
        (tmp_path / name).write_bytes(content)
        assert "is not a bundle" in refusal(tmp_path / name).message
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "has no manifest.json" in refusal(tmp_path / "other.zip").message
    assert not list(temporary.iterdir())


def test_manifest_that_is_a_folder_or_too_large(folder: Path) -> None:
    (folder / MANIFEST).write_bytes(b" " * (MAX_MANIFEST_BYTES + 1))
    assert "larger than" in refusal(folder).message
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).mkdir()
    assert "has no manifest.json" in refusal(folder).message


@pytest.mark.parametrize("name", ["model.xml", "selftest.npz", "app/card.md"])
def test_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"{name} is missing" in refusal(folder).message


def test_file_of_another_size(folder: Path) -> None:
    with (folder / "model.bin").open("ab") as stream:
        stream.write(b"x")
    assert "model.bin does not have the size" in refusal(folder).message
    with pytest.raises(ArtefactError, match="does not have the size"):
        Bundle.open(folder, verify=False)


def test_file_of_another_hash(folder: Path) -> None:
    content = bytearray((folder / "model.bin").read_bytes())
    content[100] ^= 1
    (folder / "model.bin").write_bytes(content)
    assert "model.bin does not have the hash" in refusal(folder).message
    Bundle.open(folder, verify=False).close()


def test_size_in_the_manifest_beyond_any_device(folder: Path) -> None:
    big = folder / "huge.bin"
    with big.open("wb") as stream:
        stream.truncate(MAX_FILE_BYTES + 1)  # sparse: takes no disk
    with_entry(folder, "huge.bin", FileEntry(sha256="0" * 64, size=MAX_FILE_BYTES + 1))
    assert "size" in refusal(folder).message


@pytest.mark.parametrize("name", ESCAPES)
def test_manifest_name_that_leads_out(folder: Path, name: str) -> None:
    (folder.parent / "x").write_bytes(b"x")
    with_entry(folder, name, FileEntry(sha256="0" * 64, size=1))
    assert "leads out of the bundle" in refusal(folder).message


@pytest.mark.parametrize("name", ["n" * 300, "a/" * 3000 + "x", "nul\x00byte", "model.xml/x"])
def test_manifest_name_that_no_file_can_have(folder: Path, name: str) -> None:
    with_entry(folder, name, FileEntry(sha256="0" * 64, size=1))
    assert "missing" in refusal(folder).message


@pytest.mark.parametrize("name", [name for name in ESCAPES if name])
def test_member_that_leads_out(zipped: Path, temporary: Path, name: str) -> None:
    assert "leads out of the bundle" in refusal(with_member(zipped, name)).message
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("name", ["n" * 300, "model.xml/x", "app"])
def test_member_that_cannot_be_unpacked(zipped: Path, temporary: Path, name: str) -> None:
    refusal(with_member(zipped, name))
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("how", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_member(zipped: Path, temporary: Path, how: int) -> None:
    error = refusal(with_member(zipped, "bomb.bin", bytes(100_000), how))
    assert "'bomb.bin' is compressed" in error.message
    assert not list(temporary.iterdir())


def patch_central(zipped: Path, offset: int, value: bytes) -> Path:
    """Change a field of the last entry of the central directory."""
    raw = bytearray(zipped.read_bytes())
    entry = raw.rfind(b"PK\x01\x02")
    raw[entry + offset : entry + offset + len(value)] = value
    zipped.write_bytes(raw)
    return zipped


def test_member_that_lies_about_its_size(zipped: Path, temporary: Path) -> None:
    patch_central(zipped, 24, struct.pack("<I", MAX_FILE_BYTES + 1))
    assert "too large" in refusal(zipped).message
    patch_central(zipped, 20, struct.pack("<II", 50_000, 50_000))
    refusal(zipped)
    patch_central(zipped, 20, struct.pack("<II", 1, 1))
    refusal(zipped)
    assert not list(temporary.iterdir())


def test_encrypted_member(zipped: Path) -> None:
    refusal(patch_central(zipped, 8, struct.pack("<H", 1)))


def test_members_that_share_their_bytes_cannot_swell(zipped: Path, temporary: Path) -> None:
    """A hundred entries of one stored member: this way kilobytes unpack to gigabytes."""
    raw = zipped.read_bytes()
    with zipfile.ZipFile(zipped) as archive:
        start = archive.start_dir
    entries = [b"PK\x01\x02" + entry for entry in raw[start:].split(b"PK\x01\x02")[1:]]
    whole = next(entry for entry in entries if entry[46:].startswith(b"model.bin"))
    directory = b"".join(entries[:-1]) + whole * 100 + entries[-1].partition(b"PK\x05\x06")[0]
    count = len(entries) + 100
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, len(directory), start, 0)
    zipped.write_bytes(raw[:start] + directory + end)
    assert "overlap" in refusal(zipped).message
    assert not list(temporary.iterdir())


def test_truncated_zip(zipped: Path, temporary: Path) -> None:
    whole = zipped.read_bytes()
    for cut in {0, 1, 3, 22, len(whole) // 2, len(whole) - 30, len(whole) - 1}:
        zipped.write_bytes(whole[:cut])
        refusal(zipped)
    assert not list(temporary.iterdir())


def test_duplicate_member_does_not_pass_its_hash(zipped: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        with_member(zipped, "model.bin", bytes(2048))
    assert "hash" in refusal(zipped).message


def test_symlink_to_a_file_outside(folder: Path) -> None:
    outside = folder.parent / "outside.bin"
    (folder / "model.bin").rename(outside)
    (folder / "model.bin").symlink_to(outside)
    assert "model.bin is missing" in refusal(folder).message


def test_symlink_to_a_folder_outside(folder: Path) -> None:
    outside = folder.parent / "outside"
    (folder / "app").rename(outside)
    (folder / "app").symlink_to(outside)
    assert "app/card.md is missing" in refusal(folder).message


def test_bundle_may_itself_be_reached_by_a_symlink(folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    Bundle.open(link).close()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A bundle to be damaged, as folder and zip."""
    home = tmp_path_factory.mktemp("sound")
    manifest: Manifest = make_manifest()
    write_bundle(home / "bundle", manifest, {"model.onnx": b"weights", "card.md": b"card"})
    zip_bundle(home / "bundle", home / "whole.edgekd")
    return home / "bundle", home / "whole.edgekd"


def assert_opens_or_refuses(path: Path) -> None:
    try:
        Bundle.open(path).close()
    except ArtefactError:
        return


def damaged(data: st.DataObject, whole: bytes) -> bytes:
    content = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    return bytes(content[: data.draw(st.sampled_from([len(content), len(content) - 20]))])


def run_damage(path: Path, data: st.DataObject, opened: Callable[[], Path]) -> None:
    whole = path.read_bytes()
    try:
        path.write_bytes(damaged(data, whole))
        assert_opens_or_refuses(opened())
    finally:
        path.write_bytes(whole)


@fuzz(200)
@given(data=st.data())
def test_flipped_bytes_of_a_manifest(sound: tuple[Path, Path], data: st.DataObject) -> None:
    run_damage(sound[0] / MANIFEST, data, lambda: sound[0])


@fuzz(250)
@given(data=st.data())
def test_flipped_bytes_of_a_zip(sound: tuple[Path, Path], data: st.DataObject) -> None:
    run_damage(sound[1], data, lambda: sound[1])
