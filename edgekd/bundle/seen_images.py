"""Which images a bundle's network was trained or fitted on, so that a test on them is noticed.

The bundle has a short keyed hash of each image file, not its name. Whoever holds a photo can find
out whether it is among them; nobody can make a photo, a patient or a name of the list.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property

import msgspec

from edgekd.bundle.reader import Bundle
from edgekd.errors import ArtefactError
from edgekd.files import pretty_json

__all__ = ["SEEN_IMAGES", "SeenImages", "decode_seen_images", "read_seen_images"]

SEEN_IMAGES = "seen-images.json"
_BYTES = 6
"""Bytes of each hash: of 10,000 photos against 10,000 others, one in three million runs has a
match by chance."""
_LEAST_BYTES, _MOST_BYTES = 4, 32


class SeenImages(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Hashes of the images of each part of the split.

    Attributes:
        key: Mixed into every hash, so that lists of different data sets cannot be compared.
        hash_bytes: Bytes of each hash.
        parts: Base64 of the sorted hashes of each part, one after the other.
    """

    key: str
    hash_bytes: int = _BYTES
    parts: dict[str, str] = {}

    @classmethod
    def of(cls, parts: Mapping[str, Iterable[str]], key: str) -> SeenImages:
        """The list of images, from the hex SHA-256 of the files of each part.

        Args:
            parts: SHA-256 of each image file by part.
            key: Any text that belongs to the data set.
        """
        empty = cls(key=key)
        encoded = {
            part: base64.b64encode(b"".join(sorted(map(empty.short, hashes)))).decode()
            for part, hashes in parts.items()
        }
        return cls(key=key, parts=encoded)

    def joined(self, parts: Mapping[str, Iterable[str]]) -> SeenImages:
        """This list with further images, from the hex SHA-256 of the files of each part."""
        more = SeenImages(key=self.key, hash_bytes=self.hash_bytes)
        hashes = {part: set(_hashes(text, self.hash_bytes)) for part, text in self.parts.items()}
        for part, names in parts.items():
            hashes.setdefault(part, set()).update(map(more.short, names))
        encoded = {
            part: base64.b64encode(b"".join(sorted(each))).decode() for part, each in hashes.items()
        }
        return msgspec.structs.replace(more, parts=encoded)

    def short(self, sha256: str) -> bytes:
        """The hash in the list, from the hex SHA-256 of an image file."""
        return hashlib.sha256(f"{self.key} {sha256}".encode()).digest()[: self.hash_bytes]

    def part_of(self, sha256: str) -> str | None:
        """The part that an image was in, by the hex SHA-256 of its file; None where in none."""
        return self._part_by_hash.get(self.short(sha256))

    def counts(self) -> dict[str, int]:
        """Number of images by part."""
        sizes = {part: len(base64.b64decode(text)) for part, text in self.parts.items()}
        return {part: size // self.hash_bytes for part, size in sizes.items()}

    @cached_property
    def _part_by_hash(self) -> dict[bytes, str]:
        return {
            short: part
            for part, text in reversed(self.parts.items())
            for short in _hashes(text, self.hash_bytes)
        }

    def encode(self) -> bytes:
        """The list as JSON."""
        return pretty_json(self)


def _hashes(text: str, size: int) -> list[bytes]:
    """The hashes of `size` bytes that a Base64 text has one after the other."""
    raw = base64.b64decode(text)
    return [raw[at : at + size] for at in range(0, len(raw), size)]


def read_seen_images(bundle: Bundle) -> SeenImages | None:
    """The list of a bundle; None where it has none, as those of a format before 1.7.

    Raises:
        ArtefactError: The list is damaged.
    """
    if SEEN_IMAGES not in bundle.manifest.files:
        return None
    return decode_seen_images(bundle.read(SEEN_IMAGES), bundle.label, "build the bundle again")


def decode_seen_images(content: bytes, place: str, hint: str) -> SeenImages:
    """The list from its JSON.

    Args:
        content: The JSON.
        place: Where it is, for the message.
        hint: What to do where it is damaged.

    Raises:
        ArtefactError: It is damaged.
    """
    try:
        listed = msgspec.json.decode(content, type=SeenImages)
        raws = [base64.b64decode(text, validate=True) for text in listed.parts.values()]
    except (msgspec.DecodeError, binascii.Error, UnicodeDecodeError, RecursionError) as error:
        raise _damaged(place, hint) from error
    whole = _LEAST_BYTES <= listed.hash_bytes <= _MOST_BYTES
    if not whole or any(len(raw) % listed.hash_bytes for raw in raws):
        raise _damaged(place, hint)
    return listed


def _damaged(place: str, hint: str) -> ArtefactError:
    return ArtefactError(f"the list of images {SEEN_IMAGES} of {place} is damaged", hint)
