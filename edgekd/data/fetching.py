"""Files and folders at an address: `s3://…`, `https://…`, `file://…`, and whatever fsspec knows.

They are copied once into the cache, by what their store says of their version, and are ordinary
files from then on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from edgekd.data.image_files import IMAGE_SUFFIXES
from edgekd.errors import InputError, MissingDependencyError
from edgekd.files import whole_folder
from edgekd.locks import hold_kind, writer_in_turn
from edgekd.recipe import fingerprint
from edgekd.user_folders import cache_folder

__all__ = [
    "fetched_file",
    "fetched_folder",
    "fetching",
    "is_url",
    "local_folder",
    "open_url",
    "safe_name",
    "version_of",
]

KIND = "fetched"
_VERSION = ("size", "ETag", "etag", "md5Hash", "mtime", "LastModified", "last_modified", "created")
"""What stores say of a file's version, each in its own words."""


def is_url(text: str) -> bool:
    """Whether a text is an address rather than a path."""
    return "://" in text


def fetched_folder() -> Path:
    """Where the copies are; nothing in it is removed while this process runs."""
    hold_kind(KIND)
    return cache_folder() / KIND


@contextmanager
def fetching() -> Iterator[None]:
    """Copy while no other process does, after waiting for one that does."""
    with writer_in_turn(cache_folder() / f".{KIND}.build", lambda: None):
        yield


@contextmanager
def open_url(url: str) -> Iterator[BinaryIO]:
    """The file at an address or path, open for reading.

    Raises:
        InputError: It cannot be read.
        MissingDependencyError: fsspec, or its package for this kind of address, is not installed.
    """
    system, path = _system(url)
    with _reporting(url):
        stream = system.open(path, "rb")
    with stream:
        yield stream


def version_of(url: str) -> str:
    """What a store says of the version of the file at an address, as a text.

    Raises:
        InputError, MissingDependencyError: See `open_url`.
    """
    system, path = _system(url)
    with _reporting(url):
        info = system.info(path)
    if info.get("type") != "file":
        raise InputError(f"{url} is a folder, not a file", "check the address")
    return fingerprint(system.unstrip_protocol(path), _version(info))


def fetched_file(url: str) -> Path:
    """The local copy of the file at an address.

    Raises:
        InputError, MissingDependencyError: See `open_url`.
    """
    folder = fetched_folder() / version_of(url)[:24]
    file = folder / safe_name(PurePosixPath(url.partition("://")[2]).name, url)
    with fetching():
        if not file.is_file():
            with whole_folder(folder) as twin, _reporting(url):
                system, path = _system(url)
                system.get_file(path, str(twin / file.name))
    os.utime(file)
    return file


def local_folder(root: str) -> Path:
    """The folder of a path, or the local copy of the images below an address.

    Raises:
        InputError: There are no images, or they cannot be read.
        MissingDependencyError: See `open_url`.
    """
    if not is_url(root):
        return Path(root)
    system, path = _system(root)
    with _reporting(root):
        infos = system.find(path, detail=True)
    names = {name: _below(name, path, root) for name in infos}
    images = {
        name: below for name, below in sorted(names.items())
        if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES
    }  # fmt: skip
    if not images:
        raise InputError(f"there are no images below {root}", "check the address")
    versions = [(below, _version(infos[name])) for name, below in images.items()]
    folder = fetched_folder() / fingerprint(root, versions)[:24]
    with fetching():
        if not folder.is_dir():
            with whole_folder(folder) as twin, _reporting(root):
                for name, below in images.items():
                    (twin / below).parent.mkdir(parents=True, exist_ok=True)
                    system.get_file(name, str(twin / below))
    return folder


def safe_name(name: str, origin: str) -> str:
    """A relative path from an archive or a store, refused where it would lead out of its folder.

    Raises:
        InputError: It is absolute, climbs by `..`, or is no path.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or set("\\\0") & set(name):
        message = f"{origin} holds the name {name!r}, which leads out of its folder"
        raise InputError(message, "do not use this archive: it was made to harm, or is broken")
    return path.as_posix()


def _below(name: str, path: str, root: str) -> str:
    """The path of a stored file relative to the address."""
    prefix = path.rstrip("/") + "/"
    return safe_name(name[len(prefix) :] if name.startswith(prefix) else name, root)


def _version(info: dict[str, Any]) -> list[str]:
    return [str(info.get(key)) for key in _VERSION]


def _system(url: str) -> tuple[Any, str]:
    """Fsspec's file system of an address, and the path in it."""
    try:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingDependencyError("fsspec", "distill", "read from an address") from error
    try:
        system, path = url_to_fs(url)
    except ImportError as error:  # of the package for this kind of address
        scheme = url.partition("://")[0]
        message = f"{url} cannot be read: {error}"
        hint = f"pip install 'fsspec[{scheme}]'"
        raise MissingDependencyError(
            error.name or scheme, "distill", "read it", message=message, hint=hint
        ) from error
    except Exception as error:  # each store has its own errors
        raise _unreadable(url, error) from error
    return system, path


@contextmanager
def _reporting(url: str) -> Iterator[None]:
    """Turn the errors of a store, which each has its own of, into an InputError."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise _unreadable(url, error) from error


def _unreadable(url: str, error: Exception) -> InputError:
    why = "it does not exist" if isinstance(error, FileNotFoundError) else str(error) or repr(error)
    return InputError(f"{url} cannot be read: {why}", "check the address and your credentials")
