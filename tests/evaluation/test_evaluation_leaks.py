"""Images that a bundle or a checkpoint was made with are found by their bytes."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest
from cards import make_card
from manifests import make_manifest

from edgekd.bundle import write_bundle
from edgekd.bundle.seen_images import SEEN_IMAGES, SeenImages
from edgekd.data import read_split
from edgekd.data.image_hashes import image_hashes
from edgekd.errors import ImageError, InputError
from edgekd.evaluation.leaks import Leaks, find_leaks, refuse_leaks
from edgekd.files import pretty_json

CLASSES = ("bkl", "mel", "nv")


def images(folder: Path, count: int, kind: str) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{kind}{n:03}.jpg" for n in range(count)]
    for path in paths:
        path.write_bytes(f"{kind} {path.stem}".encode())
    return paths


def bundle(folder: Path, **parts: list[Path]) -> Path:
    listed = SeenImages.of({part: image_hashes(paths) for part, paths in parts.items()}, "split")
    files: dict[str, Path | bytes] = {"model.onnx": b"model"}
    if parts:
        files[SEEN_IMAGES] = listed.encode()
    write_bundle(folder, make_manifest(), files)
    return folder


def checkpoint(folder: Path, root: Path, parts: dict[str, str]) -> Path:
    folder.mkdir()
    lines = [f"{name},{CLASSES[n % 3]},{n},{part}" for n, (name, part) in enumerate(parts.items())]
    (folder / "split.csv").write_text("\n".join(["image,label,group,part", *lines, ""]))
    split = read_split(folder / "split.csv", root, name="none", classes=CLASSES)
    plain = make_card()
    data = msgspec.structs.replace(plain.data, root=str(root), sha256=split.sha256())
    card = msgspec.structs.replace(plain, classes=CLASSES, data=data)
    (folder / "model.json").write_bytes(pretty_json(card))
    return folder


def test_fifty_images_of_training_are_found_under_other_names(tmp_path: Path) -> None:
    train = images(tmp_path / "train", 200, "train")
    new = images(tmp_path / "test", 100, "new")
    for number, path in enumerate(train[::4]):
        shutil.copy(path, tmp_path / "test" / f"copy{number:03}.jpg")
    table = [*new, *sorted((tmp_path / "test").glob("copy*"))]
    model = bundle(tmp_path / "bundle", train=train[2:], validation=train[:2])
    (leaks,) = find_leaks([model], table)
    assert sorted(leaks.parts) == list(range(100, 150))
    assert leaks.by_part() == {"train": 49, "validation": 1}
    with pytest.raises(InputError) as caught:
        refuse_leaks([leaks], [path.name for path in table])
    assert caught.value.exit_code == 2
    assert caught.value.message == (
        f"50 of 150 images are not new to {model}: it was trained on 49 and fitted on 1 of them "
        "(copy000.jpg, copy001.jpg, copy002.jpg, …)"
    )
    assert "--allow-leaks" in caught.value.hint


def test_a_shipped_student_has_a_list_in_place_of_its_images(tmp_path: Path) -> None:
    train, new = images(tmp_path / "a", 5, "train"), images(tmp_path / "b", 3, "new")
    (gone,) = images(tmp_path / "gone", 1, "gone")
    student = checkpoint(tmp_path / "student", gone.parent, {gone.name: "train"})
    gone.unlink()
    (unchecked,) = find_leaks([student], new)
    assert "are not at" in unchecked.reason
    listed = SeenImages.of({"train": image_hashes(train)}, "split")
    (student / SEEN_IMAGES).write_bytes(listed.encode())
    (leaks,) = find_leaks([student], [*new, train[2]])
    assert (leaks.parts, leaks.reason) == ({3: "train"}, "")


def test_new_images_are_none(tmp_path: Path) -> None:
    train, new = images(tmp_path / "a", 20, "train"), images(tmp_path / "b", 20, "new")
    leaks = find_leaks([bundle(tmp_path / "bundle", train=train)], new)
    assert leaks == [Leaks(tmp_path / "bundle", {})]
    refuse_leaks(leaks, [path.name for path in new])


def test_the_test_part_of_a_checkpoint_is_new_to_it(tmp_path: Path) -> None:
    paths = images(tmp_path / "images", 6, "i")
    assigned = ["train"] * 3 + ["validation", "test", "test"]
    parts = {path.name: part for path, part in zip(paths, assigned, strict=True)}
    model = checkpoint(tmp_path / "student", tmp_path / "images", parts)
    (leaks,) = find_leaks([model], paths)
    assert leaks.parts == {0: "train", 1: "train", 2: "train", 3: "validation"}


def test_what_cannot_be_checked_has_a_reason(tmp_path: Path) -> None:
    paths = images(tmp_path / "images", 3, "i")
    parts = dict.fromkeys((path.name for path in paths), "train")
    moved = checkpoint(tmp_path / "student", tmp_path / "images", parts)
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    table = sorted((tmp_path / "elsewhere").iterdir())
    plain = bundle(tmp_path / "bundle")
    (tmp_path / "bare").mkdir()
    shutil.copy(moved / "model.json", tmp_path / "bare")
    leaks = find_leaks([plain, moved, tmp_path / "bare"], table)
    assert [each.parts for each in leaks] == [{}, {}, {}]
    assert "does not list the images" in leaks[0].reason
    assert "are not at" in leaks[1].reason
    assert "split.csv is missing" in leaks[2].reason
    refuse_leaks(leaks, ["a", "b", "c"])


def test_an_image_of_the_table_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.jpg"):
        find_leaks([bundle(tmp_path / "bundle")], [tmp_path / "gone.jpg"])
