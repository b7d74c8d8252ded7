"""Shards of WebDataset: tar archives in which files of one name and several suffixes are a sample.

    000017.jpg     the image
    000017.cls     its label: the name or the number of its class; or .txt, or a key of .json

Python's own tarfile reads them, in one pass and from a stream: a library would bring its training
pipeline, and the images are to be decoded by the one rule, from ordinary files.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import msgspec

from edgekd.data.fetching import fetched_folder, fetching, open_url, safe_name, version_of
from edgekd.data.image_files import IMAGE_SUFFIXES
from edgekd.errors import InputError
from edgekd.files import pretty_json, scratch_folder
from edgekd.runtime.preprocess import MAX_BYTES
from edgekd.seals import read_kept, write_sealed
from edgekd.user_folders import cache_folder

__all__ = ["ShardSample", "expand_braces", "read_shard"]

_ROWS = "rows.json"
_LABELS = ("cls", "txt", "json")
_MOST_LABEL_BYTES = 1 << 20
_MOST_URLS = 100_000


class ShardSample(msgspec.Struct, frozen=True, kw_only=True):
    """One sample of a shard.

    Attributes:
        image: Path below the shard's folder.
        texts: Contents of its files `cls`, `txt` and `json`, by suffix.
    """

    image: str
    texts: dict[str, str]


def expand_braces(url: str) -> list[str]:
    """The addresses that `shard-{000..012}.tar` or `{train,val}.tar` stands for, in order.

    Raises:
        InputError: There are too many, or a range is empty.
    """
    parts = re.split(r"\{([^{}]*)\}", url)
    choices = [_choices(part, url) if n % 2 else [part] for n, part in enumerate(parts)]
    total = 1
    for choice in choices:
        total *= len(choice)
    if total > _MOST_URLS:
        raise InputError(f"{url} stands for {total} shards", f"give {_MOST_URLS} at most")
    return ["".join(chosen) for chosen in itertools.product(*choices)]


def _choices(inside: str, url: str) -> list[str]:
    match = re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", inside)
    if match is None:
        return inside.split(",")
    first, last, width = int(match[1]), int(match[2]), len(match[1])
    if last < first:
        message = f"the range {{{inside}}} in {url} is empty"
        raise InputError(message, "write the smaller number first")
    if last - first >= _MOST_URLS:
        raise InputError(f"{url} stands for too many shards", f"give {_MOST_URLS} at most")
    return [f"{number:0{width}}" for number in range(first, last + 1)]


def read_shard(url: str) -> tuple[Path, list[ShardSample]]:
    """Extract a shard into the cache, once for its content, and list its samples in its order.

    Args:
        url: Address or path of a .tar, .tar.gz, ….

    Returns:
        The folder of its images, named by the hash of the shard, and the samples.

    Raises:
        InputError: It cannot be read, is no tar archive, holds links or names that lead out of
            their folder, the same name twice, or a file that is too large.
        MissingDependencyError: The package for this kind of address is not installed.
    """
    note = cache_folder() / "contents" / f"shard-{version_of(url)[:24]}"
    with fetching():
        known = read_kept(note, note.name)
        folder = fetched_folder() / known.decode() if known is not None else None
        rows = None if folder is None else read_kept(folder / _ROWS, folder.name)
        if folder is None or rows is None:
            folder = _extract(url)
            write_sealed(note, folder.name.encode(), note.name)
            rows = read_kept(folder / _ROWS, folder.name)
    assert rows is not None
    os.utime(folder / _ROWS)
    return folder, msgspec.json.decode(rows, type=list[ShardSample])


def _extract(url: str) -> Path:
    """Extract a shard in one pass into a folder that is then named by the shard's hash."""
    parent = fetched_folder()
    with scratch_folder(parent / "shard") as scratch, open_url(url) as raw:
        stream = _Hashed(raw)
        content = scratch / "content"
        content.mkdir()
        samples = _samples(stream, content, url)
        folder = parent / stream.hexdigest()[:24]
        write_sealed(content / _ROWS, pretty_json(samples), folder.name)
        if folder.exists():  # it lacks something
            folder.rename(scratch / "damaged")
        content.rename(folder)
    return folder


class _Hashed:
    """A stream whose bytes are hashed as they are read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        raw = self._stream.read(size)
        self._digest.update(raw)
        return raw

    def hexdigest(self) -> str:
        """Hash of the whole stream; reads what is left of it."""
        while self.read(1 << 20):
            pass
        return self._digest.hexdigest()


def _samples(stream: _Hashed, content: Path, url: str) -> list[ShardSample]:
    """Write the images of a shard, and collect the texts that belong to each."""
    images: dict[str, str] = {}
    texts: dict[str, dict[str, str]] = {}
    for name, raw in _members(stream, url):
        key, suffix = _key(name)
        if f".{suffix}" in IMAGE_SUFFIXES:
            if key in images:
                raise InputError(f"{url} holds two images {key}", "make the shard again")
            images[key] = name
            (content / name).parent.mkdir(parents=True, exist_ok=True)
            (content / name).write_bytes(raw)
        elif suffix in _LABELS:
            texts.setdefault(key, {})[suffix] = _text(raw, name, url)
    return [ShardSample(image=name, texts=texts.get(key, {})) for key, name in images.items()]


def _members(stream: _Hashed, url: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of the files of an archive that matter."""
    try:
        with tarfile.open(fileobj=stream, mode="r|*") as archive:  # type: ignore[call-overload]
            for member in archive:
                content = _content(archive, member, url)
                if content is not None:
                    yield safe_name(member.name, url), content
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        message = f"{url} cannot be read as a tar archive: {error}"
        raise InputError(message, "copy it again") from error


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, url: str) -> bytes | None:
    """A file's bytes; None for folders and for files of other suffixes."""
    safe_name(member.name, url)
    if member.isdir():
        return None
    if not member.isfile():
        message = f"{url} holds the link or device {member.name!r}"
        raise InputError(message, "make the shard from ordinary files")
    _, suffix = _key(member.name)
    if f".{suffix}" not in IMAGE_SUFFIXES and suffix not in _LABELS:
        return None
    most = _MOST_LABEL_BYTES if suffix in _LABELS else MAX_BYTES
    if member.size > most:
        message = f"{url} holds {member.name!r} of {member.size} bytes, more than {most}"
        raise InputError(message, "make the shard again without it")
    stream = archive.extractfile(member)
    assert stream is not None
    return stream.read()


def _key(name: str) -> tuple[str, str]:
    """Name of the sample, up to the first dot of the file's name, and the suffix after it."""
    path = PurePosixPath(name)
    stem, _, suffix = path.name.partition(".")
    return (path.parent / stem).as_posix(), suffix.lower()


def _text(raw: bytes, name: str, url: str) -> str:
    try:
        return raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise InputError(f"{name} in {url} is not UTF-8", "make the shard again") from error


def json_of(sample: ShardSample, url: str) -> dict[str, Any]:
    """The sample's `json`; empty where it has none.

    Raises:
        InputError: It is not a JSON object.
    """
    try:
        return msgspec.json.decode(sample.texts.get("json", "{}"), type=dict[str, Any])
    except msgspec.DecodeError as error:
        message = f"the json of {sample.image} in {url} is not a JSON object: {error}"
        raise InputError(message, "make the shard again") from error


def label_of(sample: ShardSample, url: str, key: str, classes: Sequence[str] | None) -> str:
    """The label of a sample: its `cls` or `txt`, or the value at `key` of its `json`.

    A number is the index of a class where classes are given and none has it for its name.

    Raises:
        InputError: It has no label.
    """
    texts = [sample.texts[suffix] for suffix in ("cls", "txt") if sample.texts.get(suffix)]
    label = texts[0] if texts else str(json_of(sample, url).get(key, ""))
    if not label:
        message = f"{sample.image} in {url} has no label"
        raise InputError(message, f"add NAME.cls, NAME.txt or a NAME.json with the key {key!r}")
    if classes and label not in classes and label.isdecimal() and int(label) < len(classes):
        return classes[int(label)]
    return label
