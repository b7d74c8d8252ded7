"""Nothing of a bundle is believed, and every refusal says exit 6."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import msgspec
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from manifests import make_manifest

from edgekd.bundle import (
    MANIFEST,
    SIGNATURE,
    Bundle,
    FileEntry,
    Manifest,
    generate_key,
    sign_bundle,
    write_bundle,
    zip_bundle,
)
from edgekd.bundle.manifest import encode_manifest
from edgekd.bundle.reader import MAX_FILE_BYTES, MAX_MANIFEST_BYTES
from edgekd.bundle.storage import MAX_FILES
from edgekd.errors import ArtefactError, InputError

ESCAPES = [
    "../x", "a/../../x", "/etc/passwd", "a\\b", "..\\x", "C:x", "c:/x", ".", "./x", "a//b", "a/",
    "", "a/..", "a/./b",
]  # fmt: skip


def refusal(source: Path | bytes, *, verify: bool = True) -> ArtefactError:
    with pytest.raises(ArtefactError) as caught:
        Bundle.open(source, verify=verify)
    assert caught.value.exit_code == 6
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


def with_entry(folder: Path, name: str, entry: FileEntry) -> None:
    manifest = Bundle.open(folder).manifest
    files = manifest.files | {name: entry}
    (folder / MANIFEST).write_bytes(encode_manifest(msgspec.structs.replace(manifest, files=files)))


@pytest.fixture(params=["folder", "zipped"])
def either(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


@pytest.fixture(params=["folder", "zipped", "bytes"])
def source(request: pytest.FixtureRequest) -> Path | bytes:
    """A bundle in each way that it may be given."""
    if request.param == "bytes":
        zipped: Path = request.getfixturevalue("zipped")
        return zipped.read_bytes()
    path: Path = request.getfixturevalue(request.param)
    return path


def test_opens(source: Path | bytes, temporary: Path) -> None:
    with Bundle.open(source) as bundle:
        assert bundle.manifest.model.classes == ("bkl", "mel", "nv")
        assert bundle.model.name == "model.xml"
        assert bundle.model.read() == b"<net/>" * 20
        assert bundle.model.read("model.bin") == bytes(range(256)) * 8
        assert bundle.read("app/card.md").decode() == "café\n"
        assert bundle.size_bytes == 120 + 2048  # model.xml with its model.bin, not the rest
        assert bundle.signature == "none"
        assert not list(temporary.iterdir())
        if isinstance(source, Path):
            assert (bundle.path, bundle.label) == (source, str(source))
        else:
            assert (bundle.path, bundle.label) == (None, "<bytes>")


def test_opens_a_path_given_as_text(either: Path) -> None:
    assert Bundle.open(str(either)).path == either


def test_close_twice_and_after_the_file_is_gone(zipped: Path) -> None:
    bundle = Bundle.open(zipped)
    zipped.unlink()
    assert bundle.model.read() == b"<net/>" * 20
    bundle.close()
    bundle.close()
    with pytest.raises(RuntimeError, match="is closed"):
        bundle.read("model.bin")


def test_reads_the_manifest_that_was_decoded(source: Path | bytes) -> None:
    with Bundle.open(source) as bundle:
        before = bundle.read(MANIFEST)
        if isinstance(source, Path) and source.is_dir():
            (source / MANIFEST).write_bytes(b"{}")
        assert bundle.read(MANIFEST) == before == encode_manifest(bundle.manifest)


@pytest.mark.parametrize("name", ["absent.bin", "../bundle.edgekd", "/etc/passwd", "", "app"])
def test_reads_nothing_that_is_not_listed(either: Path, name: str) -> None:
    (either.parent / "beside").write_bytes(b"x")
    with Bundle.open(either) as bundle, pytest.raises(ArtefactError, match="is missing"):
        bundle.read(name)


def test_file_that_changes_after_the_check_is_not_read(folder: Path) -> None:
    with Bundle.open(folder) as bundle:
        (folder / "model.bin").write_bytes(bytes(2048))
        with pytest.raises(ArtefactError, match="hash"):
            bundle.read("model.bin")
        (folder / "model.bin").write_bytes(bytes(2049))
        with pytest.raises(ArtefactError, match="size"):
            bundle.read("model.bin")
        (folder / "model.bin").unlink()
        with pytest.raises(ArtefactError, match="missing"):
            bundle.read("model.bin")


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
    assert "<bytes> is not a bundle" in refusal(b"hello").message
    os.mkfifo(tmp_path / "pipe")
    assert "neither a folder nor a file" in refusal(tmp_path / "pipe").message
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("name", ["n" * 5000, "nul\x00byte", "\ud800"])
def test_path_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises((ArtefactError, InputError)):
        Bundle.open(tmp_path / name)


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


@pytest.mark.parametrize("name", ["n" * 300, "a/" * 3000 + "x", "nul\x00byte", "line\nbreak"])
def test_manifest_name_that_no_file_can_have(folder: Path, name: str) -> None:
    with_entry(folder, name, FileEntry(sha256="0" * 64, size=1))
    error = refusal(folder)
    assert "leads out of the bundle" in error.message
    assert len(error.message) < 500


@pytest.mark.parametrize("name", ["model.xml/x", "app", "ü" * 255])
def test_manifest_name_that_no_file_has(folder: Path, name: str) -> None:
    with_entry(folder, name, FileEntry(sha256="0" * 64, size=1))
    assert "missing" in refusal(folder).message


@pytest.mark.parametrize("name", [MANIFEST, SIGNATURE])
def test_manifest_that_lists_what_is_made_after_it(folder: Path, name: str) -> None:
    (folder / SIGNATURE).write_bytes(b"x")
    with_entry(folder, name, FileEntry(sha256="0" * 64, size=1))
    assert f"lists {name}, which cannot be hashed" in refusal(folder, verify=False).message


def test_too_many_files(folder: Path, tmp_path: Path) -> None:
    files = {f"{i}.bin": b"" for i in range(MAX_FILES - 1)}
    write_bundle(folder, make_manifest(), files | {"model.onnx": b""})
    Bundle.open(folder).close()
    with_entry(folder, "more.bin", FileEntry(sha256="0" * 64, size=0))
    assert "more than 64 files" in refusal(folder).message
    zip_bundle(folder, tmp_path / "b.edgekd")
    assert "more than 64 files" in refusal(tmp_path / "b.edgekd").message


def test_bundle_may_itself_be_reached_by_a_symlink(folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder)
    Bundle.open(link).close()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, bytes]:
    """A signed bundle to be damaged, as folder and zip, and its public key."""
    home = tmp_path_factory.mktemp("sound")
    pytest.importorskip("cryptography")
    manifest: Manifest = make_manifest()
    write_bundle(home / "bundle", manifest, {"model.onnx": b"weights", "card.md": b"card"})
    generate_key(home / "key.pem", home / "key.pub.pem")
    sign_bundle(home / "bundle", home / "key.pem")
    zip_bundle(home / "bundle", home / "whole.edgekd")
    public = (home / "key.pub.pem").read_bytes()
    return home / "bundle", (home / "whole.edgekd").read_bytes(), public


def opened(source: Path | bytes, public_key: bytes | None = None) -> dict[str, bytes] | None:
    """Every file of a bundle, or None where it is refused in words."""
    try:
        with Bundle.open(source, public_key=public_key) as bundle:
            return {name: bundle.read(name) for name in (MANIFEST, *bundle.manifest.files)}
    except ArtefactError as error:
        return None if "\n" not in error.message else {"message": b"of several lines"}


MARKS = [b"PK\1\2", b"PK\3\4", b"PK\5\6", b"\xff\xff\xff\xff", bytes(4), b"9" * 40, b"-1", b'"]}{']


@st.composite
def damage(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes changed, taken out or put in, and now and then the end cut off."""
    content = whole
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content) - 1))
        new = draw(st.binary(max_size=8) | st.sampled_from(MARKS))
        taken = draw(st.sampled_from([0, len(new), draw(st.integers(0, 30))]))
        content = content[:place] + new + content[place + taken :] or b"x"
    return content[: draw(st.sampled_from([len(content), len(content), len(content) - 20]))]


@fuzz(400)
@given(data=st.data())
def test_damaged_manifest(sound: tuple[Path, bytes, bytes], data: st.DataObject) -> None:
    file = sound[0] / MANIFEST
    whole = file.read_bytes()
    try:
        file.write_bytes(data.draw(damage(whole)))
        files = opened(sound[0])
    finally:
        file.write_bytes(whole)
    assert files is None or files["model.onnx"] == b"weights"


@fuzz(400)
@given(data=st.data())
def test_damaged_zip(sound: tuple[Path, bytes, bytes], data: st.DataObject) -> None:
    files = opened(data.draw(damage(sound[1])))
    assert files is None or files["model.onnx"] == b"weights"


@fuzz(400)
@given(data=st.data())
def test_damaged_signed_zip_is_whole_or_refused(
    sound: tuple[Path, bytes, bytes], data: st.DataObject
) -> None:
    files = opened(data.draw(damage(sound[1])), sound[2])
    assert files is None or files == opened(sound[1], sound[2])


def test_stream_reads_in_parts(folder: Path, zipped: Path) -> None:
    for source in (folder, zipped):
        with Bundle.open(source) as bundle, bundle.stream(bundle.manifest.model_file) as stream:
            whole = bundle.read(bundle.manifest.model_file)
            assert (stream.read(3), stream.read()) == (whole[:3], whole[3:])
            with pytest.raises(ArtefactError, match=r"absent\.bin is missing"):
                bundle.stream("absent.bin")
