"""The images that a checkpoint was made with: of its own list, or else of the files themselves."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from cards import make_card

from edgekd.bundle.seen_images import SEEN_IMAGES, SeenImages
from edgekd.data import read_split
from edgekd.data.image_hashes import image_hashes
from edgekd.errors import ArtefactError
from edgekd.files import pretty_json
from edgekd.models.training_images import carried_list, images_of_checkpoint, images_of_split

PARTS = ("train", "train", "validation", "test")


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "images" / f"{number}.jpg" for number in range(len(PARTS))]
    paths[0].parent.mkdir()
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


@pytest.fixture
def checkpoint(tmp_path: Path, images: list[Path]) -> Path:
    """A checkpoint of four images; its weights are not read."""
    folder, card = tmp_path / "student", make_card()
    folder.mkdir()
    rows = [f"{path.name},mel,{path.stem},{part}" for path, part in zip(images, PARTS, strict=True)]
    (folder / "split.csv").write_text("\n".join(["image,label,group,part", *rows, ""]))
    root = images[0].parent
    split = read_split(folder / "split.csv", root, name="none", classes=card.classes)
    data = msgspec.structs.replace(card.data, root=str(root), sha256=split.sha256())
    (folder / "model.json").write_bytes(pretty_json(msgspec.structs.replace(card, data=data)))
    return folder


def parts_of(listed: SeenImages | None, images: list[Path]) -> list[str | None]:
    assert listed is not None
    return [listed.part_of(sha256) for sha256 in image_hashes(images)]


def test_images_that_are_there_are_read(checkpoint: Path, images: list[Path]) -> None:
    assert carried_list(checkpoint) is None
    listed = images_of_checkpoint(checkpoint)
    assert parts_of(listed, images) == ["train", "train", "validation", None]


def test_images_that_are_gone_give_no_list(checkpoint: Path, images: list[Path]) -> None:
    images[0].unlink()
    assert images_of_checkpoint(checkpoint) is None


def test_a_list_that_is_carried_needs_no_images(checkpoint: Path, images: list[Path]) -> None:
    split = read_split(
        checkpoint / "split.csv", images[0].parent, name="none", classes=make_card().classes
    )
    (checkpoint / SEEN_IMAGES).write_bytes(images_of_split(split, "key").encode())
    moved = images[0].parent.rename(images[0].parent.with_name("elsewhere"))
    listed = images_of_checkpoint(checkpoint)
    assert parts_of(listed, [moved / path.name for path in images])[:3] == [
        "train", "train", "validation",
    ]  # fmt: skip
    assert carried_list(checkpoint) == listed


def test_a_damaged_list_is_refused(checkpoint: Path) -> None:
    (checkpoint / SEEN_IMAGES).write_text('{"key": "a", "parts": {"train": "?"}}')
    with pytest.raises(ArtefactError, match=r"seen-images\.json of .*student is damaged"):
        carried_list(checkpoint)
