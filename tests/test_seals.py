"""Sealed files and folders: every damage is noticed, told, and made good."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edgekd import seals
from edgekd.errors import ArtefactError
from edgekd.seals import (
    MISSING,
    SEAL,
    STRANGE,
    flaw_of,
    flaws_of,
    is_whole,
    keep,
    keep_bytes,
    read_checked,
    read_kept,
    read_sealed,
    seal_files,
    unseal_files,
    write_sealed,
)

CONTENT = bytes(range(256)) * 8


def cut(file: Path, tenths: int) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) * tenths // 10])


def flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()
    (file / "something").write_text("else")


DAMAGES: list[Callable[[Path], None]] = [
    *(lambda file, tenths=tenths: cut(file, tenths) for tenths in range(10)),
    *(lambda file, place=place: flip(file, place) for place in (0, 700, -1, -70, -140)),
    lambda file: cut(file, 0),
    lambda file: file.write_bytes(file.read_bytes() + b"\n"),
    lambda file: file.write_bytes(CONTENT),
    replace_by_folder,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_told_and_made_again(
    tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "kept"
    write_sealed(file, CONTENT, "purpose")
    assert read_sealed(file, "purpose") == CONTENT
    damage(file)
    assert flaw_of(file, "purpose") not in (None, MISSING)
    with pytest.raises(ArtefactError, match="kept"):
        read_sealed(file, "purpose")
    assert keep_bytes(file, "purpose", lambda: CONTENT) == CONTENT
    assert "kept" in caplog.text
    assert "made again" in caplog.text
    assert flaw_of(file, "purpose") is None
    assert keep_bytes(file, "purpose", lambda: pytest.fail("made again")) == CONTENT


def test_a_file_that_is_not_there_is_made_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert read_kept(tmp_path / "kept", "purpose") is None
    assert keep_bytes(tmp_path / "kept", "purpose", lambda: CONTENT) == CONTENT
    assert not caplog.text


def test_a_file_of_another_purpose_does_not_pass(tmp_path: Path) -> None:
    write_sealed(tmp_path / "kept", CONTENT, "another run")
    assert flaw_of(tmp_path / "kept", "this run") == STRANGE
    assert flaw_of(tmp_path / "kept", None) is None
    assert keep_bytes(tmp_path / "kept", "this run", lambda: b"own") == b"own"


def test_a_change_is_seen_by_the_process_that_has_read_the_file_before(tmp_path: Path) -> None:
    file = tmp_path / "kept"
    write_sealed(file, CONTENT, "purpose")
    assert flaw_of(file, "purpose") is None
    before = file.stat()
    flip(file, 9)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert flaw_of(file, "purpose") is not None


def test_a_file_is_hashed_once_by_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kept"
    write_sealed(file, CONTENT, "purpose")
    assert flaw_of(file, "purpose") is None
    monkeypatch.setattr(seals, "_digest", lambda *_: pytest.fail("hashed again"))
    assert flaw_of(file, "purpose") is None


def test_arrays_are_mapped_in_front_of_their_seal(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)

    def write(place: Path) -> None:
        with place.open("wb") as stream:
            np.save(stream, array)

    file = keep(tmp_path / "a.npy", "purpose", write)
    np.testing.assert_array_equal(np.load(file, mmap_mode="r"), array)


def test_what_fails_to_be_made_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep_bytes(tmp_path / "kept", "purpose", fail)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.json", "b.bin"):
        (tmp_path / "run" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "run" / name).write_bytes(name.encode() + CONTENT)
    seal_files(tmp_path / "run", ["a.json", "b.bin"])
    return tmp_path / "run"


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["a.json", "b.bin"])
def test_a_damaged_file_of_a_folder(
    folder: Path, name: str, damage: Callable[[Path], None]
) -> None:
    assert flaws_of(folder) == {}
    damage(folder / name)
    assert list(flaws_of(folder)) == [name]
    with pytest.raises(ArtefactError, match=name):
        read_checked(folder / name)


@pytest.mark.parametrize("tenths", range(10))
def test_a_cut_seal(folder: Path, tenths: int) -> None:
    cut(folder / SEAL, tenths)
    assert list(flaws_of(folder)) == [SEAL]
    with pytest.raises(ArtefactError, match=SEAL):
        read_checked(folder / "a.json")


def test_a_flipped_bit_anywhere_in_a_seal(folder: Path) -> None:
    """It is the seal that is damaged, and none of the files that it is about."""
    content = (folder / SEAL).read_bytes()
    for place in range(len(content) - 1):  # the last one is a newline
        flip(folder / SEAL, place)
        assert flaws_of(folder) == {SEAL: "is damaged"}, content[place:]
        (folder / SEAL).write_bytes(content)
    assert flaws_of(folder) == {}


def test_a_seal_of_the_first_format_is_read(folder: Path) -> None:
    seal = msgspec.json.decode((folder / SEAL).read_bytes())
    assert len(seal.pop("sha256")) == 64
    (folder / SEAL).write_bytes(msgspec.json.encode({**seal, "format_version": "1.0"}))
    assert flaws_of(folder) == {}
    (folder / SEAL).write_bytes(msgspec.json.encode(seal))
    assert flaws_of(folder) == {SEAL: "is damaged"}


def test_a_missing_file_and_a_missing_seal(folder: Path) -> None:
    (folder / "a.json").unlink()
    assert flaws_of(folder) == {"a.json": MISSING}
    with pytest.raises(ArtefactError, match=r"a\.json is missing"):
        read_checked(folder / "a.json")
    (folder / SEAL).unlink()
    assert flaws_of(folder) == {SEAL: MISSING}
    assert read_checked(folder / "b.bin")  # of an edgekd that had no seals


def test_files_join_and_leave_a_seal(folder: Path) -> None:
    (folder / "c").write_text("new")
    seal_files(folder, ["c"])
    (folder / "a.json").write_text("changed")
    assert list(flaws_of(folder)) == ["a.json"]
    unseal_files(folder, ["a.json"])
    assert flaws_of(folder) == {}
    unseal_files(folder)
    assert flaws_of(folder) == {SEAL: MISSING}


def test_a_damaged_folder_of_the_cache_is_told_and_removed(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert is_whole(folder)
    flip(folder / "b.bin", 3)
    assert not is_whole(folder)
    assert "b.bin" in caplog.text
    assert not folder.exists()
    assert not is_whole(folder)
