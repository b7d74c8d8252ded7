"""Bundles as folders and as zip files: what leads out, lies about its size or swells is refused."""

from __future__ import annotations

import io
import struct
import time
import zipfile
from pathlib import Path

import pytest

from edgekd.bundle import (
    MANIFEST,
    Bundle,
)
from edgekd.bundle.reader import MAX_FILE_BYTES
from edgekd.bundle.storage import MAX_ARCHIVE_BYTES, MAX_FILES
from edgekd.errors import ArtefactError

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


def with_member(zipped: Path, name: str, content: bytes = b"x", how: int = 0) -> Path:
    with zipfile.ZipFile(zipped, "a") as archive:
        member = zipfile.ZipInfo("placeholder", (1980, 1, 1, 0, 0, 0))
        member.filename = name
        archive.writestr(member, content, compress_type=how)
    return zipped


@pytest.mark.parametrize("name", [name for name in ESCAPES if name])
def test_member_that_leads_out(zipped: Path, name: str) -> None:
    assert "leads out of the bundle" in refusal(with_member(zipped, name)).message


@pytest.mark.parametrize("name", ["n" * 300, "line\nbreak", "nul\x00byte"])
def test_member_of_a_name_that_no_file_can_have(zipped: Path, name: str) -> None:
    error = refusal(with_member(zipped, name))
    assert "leads out of the bundle" in error.message
    assert len(error.message) < 500


def test_directory_whose_last_record_leads_out_of_it(zipped: Path) -> None:
    content = bytearray(zipped.read_bytes())
    comment = content.rindex(b"PK\1\2") + 32  # its length; zipfile takes what is there
    content[comment : comment + 2] = b"\1\0"
    assert "its directory is cut off" in refusal(bytes(content)).message


def test_member_that_is_not_listed_cannot_be_reached(zipped: Path) -> None:
    with Bundle.open(with_member(zipped, "later.json")) as bundle:
        assert "later.json" not in bundle.model.contents
        with pytest.raises(ArtefactError, match="missing"):
            bundle.read("later.json")


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
    """Many entries of one stored member: this way kilobytes unpack to gigabytes."""
    raw = zipped.read_bytes()
    with zipfile.ZipFile(zipped) as archive:
        start = archive.start_dir
    entries = [b"PK\x01\x02" + entry for entry in raw[start:].split(b"PK\x01\x02")[1:]]
    whole = next(entry for entry in entries if entry[46:].startswith(b"model.bin"))
    again = b"".join(whole.replace(b"model.bin", b"%09d" % i) for i in range(50))
    directory = b"".join(entries[:-1]) + again + entries[-1].partition(b"PK\x05\x06")[0]
    count = len(entries) + 50
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


@pytest.mark.parametrize("name", ["model.bin", MANIFEST, "extra.bin"])
def test_two_members_of_one_name(zipped: Path, name: str) -> None:
    with_member(with_member(zipped, "extra.bin"), "another.bin")
    with pytest.warns(UserWarning, match="Duplicate name"):
        with_member(zipped, name, bytes(2048))
    assert "the same name" in refusal(zipped).message


def entry(name: bytes = b"a", size: int = 0, offset: int = 0, extra: bytes = b"") -> bytes:
    """An entry of a zip's central directory (APPNOTE.TXT 4.3.12)."""
    fixed = struct.pack("<4s6H3L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, size, size)
    lengths = struct.pack("<5H2L", len(name), len(extra), 0, 0, 0, 0, offset)
    return fixed + lengths + name + extra


def archive_of(directory: bytes, members: int) -> bytes:
    """A zip that has nothing but its central directory."""
    count = min(members, 0xFFFF)
    return directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), 0, 0)


@pytest.mark.parametrize("told", [1_000_000, 1])
def test_directory_of_a_million_members_takes_no_time(told: int) -> None:
    """zipfile makes an object of each: 3 s and 0.5 GB for these 47 MB."""
    raw = archive_of(entry() * 1_000_000, told)
    start = time.perf_counter()
    assert "more than 64 files" in refusal(raw).message
    assert time.perf_counter() - start < 1


def test_directory_that_has_more_members_than_it_tells() -> None:
    directory = b"".join(entry(b"%d.bin" % i) for i in range(MAX_FILES + 1))
    assert "more than 64 files" in refusal(archive_of(directory, 1)).message


def test_offset_beyond_what_can_be_sought() -> None:
    """Found by hand: zipfile lets the OverflowError of a seek through."""
    wide = struct.pack("<HHQ", 1, 8, 2**63 + 5)
    raw = archive_of(entry(offset=0xFFFFFFFF, extra=wide), 1)
    assert "lies outside" in refusal(raw).message


def test_zip_with_a_comment_or_of_the_64_bit_kind(zipped: Path) -> None:
    raw = zipped.read_bytes()
    with zipfile.ZipFile(zipped, "a") as archive:
        archive.comment = b"hello"
    assert "without a comment" in refusal(zipped).message
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 1 << 40, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(raw) - 22, 1)
    assert "64-bit kind" in refusal(raw[:-22] + end64 + locator + raw[-22:]).message


def test_zip_beyond_the_memory_of_a_device(tmp_path: Path) -> None:
    big = tmp_path / "big.edgekd"
    with big.open("wb") as stream:
        stream.truncate(MAX_ARCHIVE_BYTES + 1)  # sparse: takes no disk
    assert "larger than 512 MiB" in refusal(big).message


def test_zip_that_another_tool_made(folder: Path) -> None:
    """Other dates, another order, members of no manifest's knowledge before it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.rglob("*"), reverse=True):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
    assert Bundle.open(buffer.getvalue()).read("model.bin") == (folder / "model.bin").read_bytes()


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
