"""Every case of the fuzz by its number: the same bytes each time, on every machine.

A case is made from (seed, kind, number) alone, so that `fuzz.py --only bundle:1234` makes it again.
(Images, and the arrays of self-test vectors, are encoded by the libraries that are installed.)
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from abuse.bundles import BACKENDS, FILES, Parts, installed, parts, write_folder, zip_of
from abuse.image_mutations import mutate_image
from abuse.manifest_mutations import mutate_manifest
from abuse.mutations import flip_bits, mutate_bytes, pick
from abuse.npz_mutations import mutate_npz
from abuse.photos import photos
from edgekd.bundle import MANIFEST, SELFTEST

__all__ = ["BundleCase", "ImageCase", "bundle_case", "image_case"]


@dataclass(frozen=True)
class BundleCase:
    """A damaged bundle.

    Attributes:
        group: Kind of damage, for the table.
        backend: Whose bundle it was.
        reaches_engine: The damage gets past the hashes: those were made anew, or not asked for.
        form: `folder`, `file` or `bytes`.
        content: Bytes of the `.edgekd` file, or the folder's files; an empty file's name that
            ends in `/` is a folder, one that ends in `|` a named pipe, in `@` a link to nowhere.
        options: For `Classifier.open`.
    """

    group: str
    backend: str
    reaches_engine: bool
    form: str
    content: bytes | Parts
    options: Mapping[str, Any] = field(default_factory=dict)

    def put(self, place: Path) -> Path | bytes:
        """What to give to `Classifier.open`; files are written at `place`, which must be free."""
        if isinstance(self.content, bytes):
            if self.form == "bytes":
                return self.content
            place.write_bytes(self.content)
            return place
        return _put_folder(place, self.content)


@dataclass(frozen=True)
class ImageCase:
    """A damaged image: kind of the photo, and how it is handed over (`bytes`, `file`, `path`)."""

    group: str
    form: str
    content: bytes


def bundle_case(seed: int, number: int) -> BundleCase:
    """The bundle case `number`."""
    rng = np.random.default_rng([seed, 0, number])
    backend = pick(rng, [name for name in BACKENDS if installed(name)])
    group = pick(rng, (*_DAMAGE, "manifest", "zip"))  # these two are what a stranger can change
    return _DAMAGE[group](rng, group, backend)


def image_case(seed: int, number: int) -> ImageCase:
    """The image case `number`."""
    rng = np.random.default_rng([seed, 1, number])
    kind = pick(rng, list(photos()))
    form = pick(rng, ("bytes",) * 8 + ("file", "path"))
    return ImageCase(kind, form, mutate_image(rng, kind, photos()))


def _container(rng: Generator, group: str, backend: str) -> BundleCase:
    """Bytes of the zip itself; half of the time at its end, where its directory is."""
    archive = zip_of(parts(backend))
    if rng.integers(2):
        cut = len(archive) - 400
        archive = archive[:cut] + mutate_bytes(rng, archive[cut:])
    else:
        archive = mutate_bytes(rng, archive)
    return BundleCase(group, backend, False, pick(rng, ("file", "bytes")), archive)


def _manifest(rng: Generator, group: str, backend: str) -> BundleCase:
    content = parts(backend)
    content[MANIFEST] = mutate_manifest(rng, content[MANIFEST])
    return _whole(rng, group, backend, content)


def _member(rng: Generator, group: str, backend: str) -> BundleCase:
    content = parts(backend)
    name = pick(rng, list(content))
    content[name] = mutate_bytes(rng, content[name])
    return _whole(rng, group, backend, content)


def _model(rng: Generator, group: str, backend: str) -> BundleCase:
    """A damaged model behind right hashes, or behind hashes that nobody checks."""
    content = parts(backend)
    name = pick(rng, FILES[backend])
    damage = flip_bits if rng.integers(2) else mutate_bytes
    content[name] = damage(rng, content[name])
    case = _whole(rng, group, backend, _rehashed(content))
    options = {"selftest": bool(rng.integers(2)), "verify": bool(rng.integers(2))}
    return BundleCase(group, backend, True, case.form, case.content, options)


def _vectors(rng: Generator, group: str, backend: str) -> BundleCase:
    content = parts(backend)
    content[SELFTEST] = mutate_npz(rng, content[SELFTEST])
    return _whole(rng, group, backend, _rehashed(content), reaches_engine=True)


def _members(rng: Generator, group: str, backend: str) -> BundleCase:
    """Whole files missing, doubled, renamed, exchanged, or of a kind that is no file."""
    content, way = parts(backend), int(rng.integers(7))
    name, other = pick(rng, list(content)), pick(rng, list(content))
    if way == 0:
        del content[name]
    elif way == 1:
        content[name], content[other] = content[other], content[name]
    elif way == 2:
        content[pick(rng, _NAMES)] = content.pop(name)
    elif way == 3:
        content[pick(rng, _NAMES)] = content[other]
    elif way == 4:
        content |= {f"extra{number}": b"x" for number in range(pick(rng, (1, 60, 400)))}
    elif way == 5:
        del content[name]
        content[name + pick(rng, ("/", "|", "@"))] = b""
        return BundleCase(group, backend, False, "folder", content)
    else:
        kind = pick(rng, (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
        archive = zip_of(content, kind)
        return BundleCase(group, backend, False, "bytes", archive)
    return _whole(rng, group, backend, content)


def _foreign(rng: Generator, group: str, backend: str) -> BundleCase:
    """A whole model, but of another engine or with other files than the manifest's."""
    content, other = parts(backend), pick(rng, BACKENDS)
    wanted, found = FILES[backend][0], FILES[other][0]
    content[wanted] = parts(other)[found] if rng.integers(2) else rng.bytes(500)
    options = {"backend": pick(rng, (None, *filter(installed, BACKENDS), "tensorrt", "none"))}
    content = _rehashed(content)
    return BundleCase(group, backend, True, "bytes", zip_of(content), options)


_NAMES = (
    "../x", "/x", "a/../b", "a\\b", "C:x", "a//b", "./a", "a" * 300, "é", "\u202ex", "a\nb",
    "model", "MODEL.TFLITE", "manifest.json ", "manifest.sig", "d/model.onnx", ".", "con",
)  # fmt: skip
_DAMAGE: Mapping[str, Callable[[Generator, str, str], BundleCase]] = {
    "zip": _container,
    "manifest": _manifest,
    "member": _member,
    "members": _members,
    "model": _model,
    "vectors": _vectors,
    "foreign model": _foreign,
}


def _whole(
    rng: Generator, group: str, backend: str, content: Parts, *, reaches_engine: bool = False
) -> BundleCase:
    """The parts as a folder, a file or bytes."""
    form = pick(rng, ("folder", "file", "bytes"))
    if form == "folder" and all(map(_fits_a_disk, content)):
        return BundleCase(group, backend, reaches_engine, form, content)
    form = "bytes" if form == "folder" else form
    return BundleCase(group, backend, reaches_engine, form, zip_of(content))


def _fits_a_disk(name: str) -> bool:
    return len(name) < 200 and not name.startswith("/") and ".." not in name and name != "."


def _rehashed(content: Parts) -> Parts:
    """The same with a manifest that agrees."""
    manifest = json.loads(content[MANIFEST])
    for name, entry in manifest["files"].items():
        entry["sha256"] = hashlib.sha256(content[name]).hexdigest()
        entry["size"] = len(content[name])
    return content | {MANIFEST: json.dumps(manifest).encode()}


def _put_folder(place: Path, content: Parts) -> Path:
    write_folder(place, {name: data for name, data in content.items() if name[-1] not in "/|@"})
    for name in content:
        if name.endswith("/"):
            (place / name).mkdir()
        elif name.endswith("|"):
            os.mkfifo(place / name[:-1])
        elif name.endswith("@"):
            (place / name[:-1]).symlink_to("/nowhere/at/all")
    return place
