"""The list of images that a network was trained or fitted on, in a real bundle."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest
from manifests import make_manifest

from edgekd.bundle import Bundle, write_bundle
from edgekd.bundle.seen_images import SEEN_IMAGES, SeenImages, read_seen_images
from edgekd.errors import ArtefactError


def sha256(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


TRAIN, VALIDATION = ([sha256(f"{part} {n}") for n in range(5)] for part in "tv")


def bundle_with(folder: Path, content: bytes | None) -> Bundle:
    files: dict[str, Path | bytes] = {"model.onnx": b"model"}
    if content is not None:
        files[SEEN_IMAGES] = content
    write_bundle(folder, make_manifest(), files)
    return Bundle.open(folder)


def test_a_bundle_knows_the_images_of_each_part(tmp_path: Path) -> None:
    listed = SeenImages.of({"train": TRAIN, "validation": VALIDATION}, key="split")
    with bundle_with(tmp_path / "bundle", listed.encode()) as bundle:
        read = read_seen_images(bundle)
    assert read is not None
    assert {read.part_of(image) for image in TRAIN} == {"train"}
    assert {read.part_of(image) for image in VALIDATION} == {"validation"}
    assert [read.part_of(sha256(f"other {n}")) for n in range(50)] == [None] * 50
    assert read.counts() == {"train": 5, "validation": 5}


def test_an_image_of_two_parts_is_one_of_training() -> None:
    listed = SeenImages.of({"train": TRAIN, "validation": TRAIN}, key="split")
    assert listed.part_of(TRAIN[0]) == "train"


def test_a_list_takes_further_images_in_its_own_key() -> None:
    """Images that a trained student's files are fitted on later are listed beside its own."""
    listed = SeenImages.of({"train": TRAIN, "validation": VALIDATION[:2]}, key="split")
    joined = listed.joined({"validation": [*VALIDATION[1:], TRAIN[0]]})
    assert {joined.part_of(image) for image in VALIDATION} == {"validation"}
    assert {joined.part_of(image) for image in TRAIN} == {"train"}
    assert joined.counts() == {"train": 5, "validation": 6}
    assert joined.part_of(sha256("other")) is None
    assert listed.counts() == {"train": 5, "validation": 2}


def test_the_list_is_short_keyed_and_in_no_order_of_the_table() -> None:
    listed = SeenImages.of({"train": TRAIN}, key="split")
    text = listed.encode().decode()
    assert not any(image[:12] in text for image in TRAIN)
    assert SeenImages.of({"train": TRAIN[::-1]}, key="split").encode() == listed.encode()
    assert SeenImages.of({"train": TRAIN}, key="another").parts != listed.parts
    many = SeenImages.of({"train": map(sha256, map(str, range(10_000)))}, key="split")
    assert len(many.encode()) < 81_000


def test_a_bundle_without_a_list(tmp_path: Path) -> None:
    with bundle_with(tmp_path / "bundle", None) as bundle:
        assert read_seen_images(bundle) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        msgspec.json.encode({"key": "k", "parts": {"train": "AAA"}}),
        msgspec.json.encode({"key": "k", "parts": {"train": "AAAA"}}),
        msgspec.json.encode({"key": "k", "parts": {"train": "****"}}),
        msgspec.json.encode({"key": "k", "hash_bytes": 0, "parts": {}}),
    ],
)
def test_a_damaged_list_is_refused(tmp_path: Path, content: bytes) -> None:
    with (
        bundle_with(tmp_path / "bundle", content) as bundle,
        pytest.raises(ArtefactError, match="damaged"),
    ):
        read_seen_images(bundle)
