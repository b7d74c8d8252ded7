"""Shards: what is in them is extracted once, and nothing leads out of its folder."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edgekd.data import shards
from edgekd.data.shards import expand_braces, label_of, read_shard
from edgekd.errors import InputError


def write_tar(file: Path, files: Mapping[str, bytes], mode: Any = "w") -> Path:
    with tarfile.open(file, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file


GOOD = {
    "part/b.jpg": b"image b", "part/b.cls": b"1\n", "part/b.json": b'{"patient": "P7"}',
    "a.x.jpg": b"not an image of a", "a.jpg": b"image a", "a.txt": "Näv".encode(),
    "notes.md": b"ignored",
}  # fmt: skip


@pytest.mark.parametrize(("name", "mode"), [("s.tar", "w"), ("s.tar.gz", "w:gz")])
def test_a_shard_is_extracted_in_its_order(
    tmp_path: Path, cache: Path, name: str, mode: str
) -> None:
    folder, samples = read_shard(str(write_tar(tmp_path / name, GOOD, mode)))
    assert [sample.image for sample in samples] == ["part/b.jpg", "a.jpg"]
    assert samples[0].texts == {"cls": "1", "json": '{"patient": "P7"}'}
    assert samples[1].texts == {"txt": "Näv"}
    assert (folder / "part/b.jpg").read_bytes() == b"image b"
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert names == {"b.jpg", "a.jpg", "rows.json"}


def test_it_is_extracted_once_wherever_it_lies(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_shard(str(write_tar(tmp_path / "s.tar", GOOD)))
    (tmp_path / "copy.tar").write_bytes((tmp_path / "s.tar").read_bytes())
    assert read_shard(str(tmp_path / "copy.tar")) == first
    monkeypatch.setattr(shards, "_extract", lambda url: pytest.fail("extracted again"))
    assert read_shard(str(tmp_path / "s.tar")) == first
    assert read_shard(f"file://{tmp_path}/copy.tar") == first


def test_another_content_is_another_folder(tmp_path: Path, cache: Path) -> None:
    first, _ = read_shard(str(write_tar(tmp_path / "s.tar", GOOD)))
    second, _ = read_shard(str(write_tar(tmp_path / "s.tar", {**GOOD, "a.jpg": b"other"})))
    assert first != second
    assert (first / "a.jpg").read_bytes() == b"image a"
    assert (second / "a.jpg").read_bytes() == b"other"


def test_a_damaged_list_is_made_again(tmp_path: Path, cache: Path) -> None:
    url = str(write_tar(tmp_path / "s.tar", GOOD))
    folder, samples = read_shard(url)
    (folder / "rows.json").write_bytes(b"[]")
    assert read_shard(url) == (folder, samples)


@pytest.mark.parametrize("name", ["../out.jpg", "/tmp/out.jpg", "a/../../out.jpg", "..\\out.jpg"])
def test_names_that_lead_out_of_the_folder_are_refused(
    tmp_path: Path, cache: Path, name: str
) -> None:
    url = str(write_tar(tmp_path / "s.tar", {"a.jpg": b"a", name: b"x"}))
    with pytest.raises(InputError, match="leads out of its folder"):
        read_shard(url)
    assert not list(tmp_path.rglob("out.jpg"))
    assert not list((cache / "fetched").iterdir())


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, cache: Path, kind: bytes) -> None:
    member = tarfile.TarInfo("a.jpg")
    member.type, member.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        archive.addfile(member)
    with pytest.raises(InputError, match=r"holds the link or device 'a\.jpg'"):
        read_shard(str(tmp_path / "s.tar"))


@pytest.mark.parametrize("content", [b"", b"not a tar archive" * 100])
def test_what_is_no_archive_is_refused(tmp_path: Path, cache: Path, content: bytes) -> None:
    (tmp_path / "s.tar").write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as a tar archive"):
        read_shard(str(tmp_path / "s.tar"))


def test_a_truncated_archive_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    file = write_tar(tmp_path / "s.tar", {"a.jpg": b"a" * 5000, "b.jpg": b"b" * 5000})
    file.write_bytes(file.read_bytes()[:7000])
    with pytest.raises(InputError, match="cannot be read as a tar archive"):
        read_shard(str(file))
    assert not list((cache / "fetched").iterdir())


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.jpg": b"1", "a.png": b"2"}, "holds two images a"),
        ({"a.txt": b"\xff"}, r"a\.txt in .* is not UTF-8"),
        ({"a.txt": b"x" * 2_000_000}, "of 2000000 bytes, more than"),
    ],
)
def test_wrong_samples_are_refused(
    tmp_path: Path, cache: Path, files: dict[str, bytes], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_shard(str(write_tar(tmp_path / "s.tar", files)))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("a.tar", ["a.tar"]),
        ("a-{08..11}.tar", ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]),
        ("{x,y}/{0..1}", ["x/0", "x/1", "y/0", "y/1"]),
    ],
)
def test_ranges(url: str, expected: list[str]) -> None:
    assert expand_braces(url) == expected


@pytest.mark.parametrize("url", ["{5..4}.tar", "{0..999999}.tar", "{0..999}{0..999}"])
def test_ranges_that_are_none(url: str) -> None:
    with pytest.raises(InputError):
        expand_braces(url)


@pytest.mark.parametrize(
    ("texts", "classes", "label"),
    [
        ({"cls": "1"}, None, "1"), ({"cls": "1"}, ["nv", "mel"], "mel"),
        ({"cls": "1"}, ["1", "0"], "1"), ({"cls": "7"}, ["nv", "mel"], "7"),
        ({"txt": "nv"}, ["nv", "mel"], "nv"), ({"json": '{"dx": "mel"}'}, None, "mel"),
        ({"json": '{"dx": 1}'}, ["nv", "mel"], "mel"), ({"cls": "a", "txt": "b"}, None, "a"),
    ],
)  # fmt: skip
def test_labels(texts: dict[str, str], classes: list[str] | None, label: str) -> None:
    sample = shards.ShardSample(image="a.jpg", texts=texts)
    assert label_of(sample, "s.tar", "dx", classes) == label


@pytest.mark.parametrize(
    ("texts", "message"),
    [({}, "has no label"), ({"json": "{"}, "is not a JSON object"),
     ({"json": "[1]"}, "is not a JSON object"), ({"json": '{"x": 1}'}, "has no label")],
)  # fmt: skip
def test_no_label(texts: dict[str, str], message: str) -> None:
    sample = shards.ShardSample(image="a.jpg", texts=texts)
    with pytest.raises(InputError, match=message):
        label_of(sample, "s.tar", "dx", None)
