"""The float student that a bundle carries beside its model file, for `edgekd certify`.

Its files are in the folder `reference`, outside of the manifest's list: a device never reads them,
and a bundle goes into an app without them, its signature as valid as before. Their hashes are in
the manifest, which the signature covers.
"""

from __future__ import annotations

import hashlib

from edgekd.bundle.manifest import FileEntry
from edgekd.bundle.model_files import ModelFiles
from edgekd.bundle.reader import MAX_FILE_BYTES, Bundle
from edgekd.bundle.storage import damaged, is_plain_name

__all__ = ["REFERENCE", "read_reference", "reference_files"]

REFERENCE = "reference"
"""Name of the folder."""


def read_reference(bundle: Bundle) -> ModelFiles | None:
    """The float student's files, in memory; None where the bundle does not have them.

    Raises:
        ArtefactError: They are not those that the manifest names.
    """
    record, files = bundle.manifest.reference, reference_files(bundle)
    if record is None or not files:
        return None
    contents = {name.removeprefix(f"{REFERENCE}/"): content for name, content in files.items()}
    if record.model_file not in contents:
        raise damaged(bundle.label, f"its float student has no file {record.model_file[:80]!r}")
    return ModelFiles(record.model_file, contents=contents)


def reference_files(bundle: Bundle) -> dict[str, bytes]:
    """Content of each file of the float student by its name in the bundle; empty without one.

    Raises:
        ArtefactError: A file is missing beside others that are there, or is not the one that the
            manifest names.
    """
    record = bundle.manifest.reference
    entries = {} if record is None else record.files
    contents = {
        f"{REFERENCE}/{name}": _read(bundle, f"{REFERENCE}/{name}", entry)
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
