"""Files at an address are copied once; what cannot be read is refused in a line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from edgekd.data import fetching
from edgekd.data.fetching import fetched_file, local_folder, open_url, safe_name, version_of
from edgekd.errors import InputError, MissingDependencyError


@pytest.fixture
def memory(cache: Path) -> Iterator[Any]:
    """fsspec's store in memory, in the place of a bucket."""
    store = fsspec.filesystem("memory")
    yield store
    store.rm("/", recursive=True)


def put(store: Any, name: str, content: bytes) -> None:
    with store.open(name, "wb") as stream:
        stream.write(content)


def test_a_file_is_copied_once(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    put(memory, "/bucket/labels.csv", b"one")
    copy = fetched_file("memory://bucket/labels.csv")
    assert copy.name == "labels.csv"
    assert copy.read_bytes() == b"one"
    monkeypatch.setattr(type(memory), "get_file", lambda *_: pytest.fail("copied again"))
    assert fetched_file("memory://bucket/labels.csv") == copy


def test_a_file_that_changed_is_copied_again(memory: Any) -> None:
    put(memory, "/bucket/labels.csv", b"one")
    fetched_file("memory://bucket/labels.csv")
    put(memory, "/bucket/labels.csv", b"more")
    assert fetched_file("memory://bucket/labels.csv").read_bytes() == b"more"


def test_the_images_below_an_address(memory: Any) -> None:
    for name in ("mel/1.jpg", "nv/deep/2.PNG", "readme.txt"):
        put(memory, f"/bucket/set/{name}", name.encode())
    folder = local_folder("memory://bucket/set")
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"mel/1.jpg", "nv/deep/2.PNG"}
    assert (folder / "mel/1.jpg").read_bytes() == b"mel/1.jpg"
    assert local_folder("memory://bucket/set") == folder
    put(memory, "/bucket/set/nv/3.jpg", b"another")
    assert local_folder("memory://bucket/set") != folder


def test_a_path_stays_a_path(tmp_path: Path) -> None:
    assert local_folder(str(tmp_path / "no://t".replace("://", ""))) == tmp_path / "not"


def test_addresses_of_this_machine(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"abc")
    with open_url(f"file://{tmp_path}/a.bin") as stream:
        assert stream.read() == b"abc"
    with open_url(str(tmp_path / "a.bin")) as stream:
        assert stream.read() == b"abc"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("memory://bucket/none.tar", "memory://bucket/none.tar cannot be read: it does not exist"),
        ("nothing://x/y", "nothing://x/y cannot be read: Protocol not known: nothing"),
        ("memory://bucket", "memory://bucket is a folder, not a file"),
    ],
)
def test_what_cannot_be_read(memory: Any, address: str, message: str) -> None:
    put(memory, "/bucket/there", b"")
    with pytest.raises(InputError) as caught:
        version_of(address)
    assert caught.value.message == message
    assert caught.value.hint


def test_no_images_below_an_address(memory: Any) -> None:
    put(memory, "/bucket/set/readme.txt", b"")
    with pytest.raises(InputError, match="there are no images below memory://bucket/set"):
        local_folder("memory://bucket/set")


def test_a_store_whose_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingDependencyError) as caught:
        version_of("s3://bucket/a.tar")
    assert "s3://bucket/a.tar cannot be read" in caught.value.message
    assert caught.value.hint == "pip install 'fsspec[s3]'"


def test_without_fsspec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(MissingDependencyError, match="fsspec is not installed"):
        fetching._system("s3://bucket/a.tar")


@pytest.mark.parametrize("name", ["/etc/passwd", "../a.jpg", "a/../../b.jpg", "", "a\\b", "a\0"])
def test_names_that_lead_out_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"x\.tar holds the name"):
        safe_name(name, "x.tar")


def test_ordinary_names() -> None:
    assert safe_name("./a/..b.jpg", "x.tar") == "a/..b.jpg"
