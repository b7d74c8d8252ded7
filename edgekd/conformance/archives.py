"""Bundles as bytes, made by hand, so that every kind of damage can be put into one."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

from edgekd.bundle.manifest import FORMAT_VERSION

__all__ = ["archive", "document", "packed", "with_end"]


def archive(members: Mapping[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip of members, in their order, with fixed dates."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as file:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            file.writestr(info, content, compress_type=compression)
    return stream.getvalue()


def packed(manifest: Mapping[str, Any] | bytes, files: Mapping[str, bytes]) -> bytes:
    """A bundle of a manifest and its files, which are not compared."""
    raw = manifest if isinstance(manifest, bytes) else json.dumps(manifest, indent=2).encode()
    return archive({"manifest.json": raw, **files})


def document(files: Mapping[str, bytes], **changes: Any) -> dict[str, Any]:
    """The smallest manifest of some files; `changes` replace its fields."""
    entries = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for name, content in files.items()
    }
    manifest: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "version": "0.1.0",
        "task": "",
        "model": {"name": "tiny", "classes": ["bkl", "mel", "nv"], "image_size": 32},
        "decision": {},
        "lowering": {"target": "cpu", "backend": "", "precision": "fp32"},
        "metrics": {},
        "lineage": {"method": "kd"},
        "model_file": next(iter(files), ""),
        "files": entries,
    }
    return manifest | changes


def with_end(content: bytes, **fields: int) -> bytes:
    """A zip with fields of its last record replaced: `members`, `directory_bytes`, `offset`."""
    places = {"members": (10, "<H"), "directory_bytes": (12, "<I"), "offset": (16, "<I")}
    raw = bytearray(content)
    start = len(raw) - 22
    for name, value in fields.items():
        place, kind = places[name]
        struct.pack_into(kind, raw, start + place, value)
    return bytes(raw)
