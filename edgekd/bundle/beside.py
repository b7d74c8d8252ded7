"""Files that a bundle carries in a folder of their own, outside of its manifest's list.

A device never reads them, and a bundle goes into an app without them, its signature as valid as
before. Their hashes are in the manifest, which the signature covers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from edgekd.bundle.manifest import FileEntry
from edgekd.bundle.model_files import ModelFiles
from edgekd.bundle.reader import MAX_FILE_BYTES, Bundle
from edgekd.bundle.storage import damaged, is_plain_name

__all__ = ["files_beside", "model_beside"]


def model_beside(
    bundle: Bundle, folder: str, model_file: str, entries: Mapping[str, FileEntry], owner: str
) -> ModelFiles | None:
    """The files of a folder as those of a model, in memory; None where the bundle has none.

    Args:
        bundle: The bundle.
        folder: Name of the folder.
        model_file: The main file, a key of `entries`.
        entries: Size and hash of its files, by name below the folder.
        owner: Whose files they are, for messages.

    Raises:
        ArtefactError: They are not those that the manifest names.
    """
    files = files_beside(bundle, folder, entries)
    if not files:
        return None
    contents = {name.removeprefix(f"{folder}/"): content for name, content in files.items()}
    if model_file not in contents:
        raise damaged(bundle.label, f"{owner} have no file {model_file[:80]!r}")
    return ModelFiles(model_file, contents=contents)


def files_beside(bundle: Bundle, folder: str, entries: Mapping[str, FileEntry]) -> dict[str, bytes]:
    """Content of each file of a folder by its name in the bundle; empty where none is there.

    Raises:
        ArtefactError: A file is missing beside others that are there, or is not the one that the
            manifest names.
    """
    contents = {
        f"{folder}/{name}": _read(bundle, f"{folder}/{name}", entry)
        for name, entry in entries.items()
    }
    there = {name: content for name, content in contents.items() if content is not None}
    if there and len(there) < len(contents):
        raise damaged(bundle.label, f"{min(contents.keys() - there.keys())} is missing")
    return there


def _read(bundle: Bundle, name: str, entry: FileEntry) -> bytes | None:
    """The content of one file; None where it is missing."""
    if not is_plain_name(name):
        raise damaged(bundle.label, f"the name {name[:80]!r} leads out of the bundle")
    content = bundle.read_unlisted(name, min(entry.size, MAX_FILE_BYTES))
    if content is None:
        return None
    if len(content) != entry.size or hashlib.sha256(content).hexdigest() != entry.sha256:
        raise damaged(bundle.label, f"{name} does not have the hash that the manifest says")
    return content
