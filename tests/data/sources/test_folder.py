"""Class folders as people, archives and notebooks leave them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from edgekd.data import Dataset, load_dataset
from edgekd.errors import ImageError, InputError


@pytest.fixture
def root(tmp_path: Path, draw: Any) -> Path:
    for number in range(4):
        draw(tmp_path / "set" / "mel" / f"{number}.jpg", number)
        draw(tmp_path / "set" / "nv" / f"{number}.jpg", 100 + number)
    return tmp_path / "set"


def load(root: Path) -> Dataset:
    return load_dataset({"source": "folder", "root": str(root)})


def images(dataset: Dataset) -> set[str]:
    return {sample.image for sample in dataset.samples}


@pytest.mark.parametrize(
    "clutter",
    [".ipynb_checkpoints/0-checkpoint.jpg", "__MACOSX/mel/0.jpg", "mel/._0.jpg",
     "mel/.ipynb_checkpoints/0-checkpoint.jpg", "mel/@eaDir/0.jpg/SYNO_THUMB.jpg", ".git/x.jpg",
     "mel/.DS_Store", "mel/Thumbs.db", "nv/desktop.ini", "$RECYCLE.BIN/0.jpg",
     "lost+found/0.jpg", "System Volume Information/0.jpg", "mel/~$0.jpg"],
)  # fmt: skip
def test_what_systems_leave_behind_is_no_data(root: Path, clutter: str) -> None:
    before = images(load(root))
    (root / clutter).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(root / "mel" / "0.jpg", root / clutter)
    dataset = load(root)
    assert dataset.classes == ("mel", "nv")
    assert images(dataset) == before
    assert any(note.startswith("left out as clutter: ") for note in dataset.notes)


@pytest.mark.parametrize(
    "names",
    [("train", "test"), ("Train", "Val"), ("training", "validation"), ("TRAIN", "valid"),
     ("train_set", "test-set"), ("01_train", "02_test"), ("train", "testing images"),
     ("fold1", "fold2"), ("Fold_0", "fold_1"), ("trainval", "test"), ("train_val", "test"),
     ("train_augmented", "test_clean"), ("split-1", "split-2"),
     ("HAM10000_images_part_1", "HAM10000_images_part_2")],
)  # fmt: skip
@pytest.mark.parametrize("flat", [True, False])
def test_parts_are_no_classes(root: Path, names: tuple[str, str], flat: bool) -> None:
    if flat:
        for old, new in zip(("mel", "nv"), names, strict=True):
            (root / old).rename(root / new)
        where = root
    else:
        where = root.parent / "parted"
        for name in names:
            shutil.copytree(root, where / name)
    with pytest.raises(InputError, match="holds parts of a data set, not classes") as caught:
        load(where)
    assert all(name in caught.value.message for name in names)
    assert "`split`" in caught.value.hint


def test_one_part_beside_classes_is_refused_where_it_holds_classes(root: Path, draw: Any) -> None:
    draw(root / "test" / "mel" / "9.jpg", 9)
    with pytest.raises(InputError, match="not classes: test"):
        load(root)


@pytest.mark.parametrize("name", ["test", "fold3", "unlabelled"])
def test_a_folder_that_may_be_none_is_told_where_it_is_taken_for_a_class(
    root: Path, draw: Any, name: str
) -> None:
    draw(root / name / "9.jpg", 9)
    assert any(f"'{name}' is taken for a class" in note for note in load(root).notes)


@pytest.mark.parametrize("name", ["trainer_rash", "apart2", "testicular", "part_of_nail", "value"])
def test_classes_whose_names_begin_as_those_of_parts(root: Path, draw: Any, name: str) -> None:
    (root / "mel").rename(root / f"{name} a")
    (root / "nv").rename(root / f"{name} b")
    assert load(root).classes == (f"{name} a", f"{name} b")


def test_a_class_that_is_a_link_to_nothing(root: Path) -> None:
    (root / "bcc").symlink_to(root / "gone")
    with pytest.raises(ImageError, match="bcc is a link to nothing"):
        load(root)


def test_parts_within_classes_are_told(root: Path, draw: Any) -> None:
    draw(root / "mel" / "train" / "9.jpg", 9)
    assert any("train within classes" in note for note in load(root).notes)


def test_a_folder_too_many_above_the_classes(root: Path) -> None:
    with pytest.raises(InputError, match="only one class, 'set'") as caught:
        load(root.parent)
    assert str(root) in caught.value.hint


@pytest.mark.parametrize("place", ["bcc", "mel/more", "mel/deep/more"])
def test_links_to_folders_are_followed(root: Path, tmp_path: Path, draw: Any, place: str) -> None:
    for number in range(18):
        draw(tmp_path / "elsewhere" / "in" / f"{number}.jpg", number)
    (root / place).parent.mkdir(exist_ok=True)
    (root / place).symlink_to(tmp_path / "elsewhere")
    assert len(load(root).samples) == 26


def test_links_in_circles_are_left_and_told(root: Path) -> None:
    (root / "mel" / "again").symlink_to(root / "mel")
    (root / "mel" / "all").symlink_to(root)
    dataset = load(root)
    assert len(dataset.samples) == 8
    assert any("mel/again, mel/all" in note for note in dataset.notes)


def test_a_second_link_to_an_image(root: Path) -> None:
    (root / "mel" / "z.jpg").symlink_to(root / "mel" / "0.jpg")
    dataset = load(root)
    assert len(dataset.samples) == 8
    assert any("there already: 1" in note for note in dataset.notes)
    (root / "mel" / "y.jpg").symlink_to(root / "nv" / "0.jpg")
    with pytest.raises(InputError, match="one file in two classes"):
        load(root)


def test_a_link_to_nothing(root: Path) -> None:
    (root / "mel" / "z.jpg").symlink_to(root / "gone.jpg")
    with pytest.raises(ImageError, match=r"z\.jpg is a link to nothing"):
        load(root)


def test_files_that_are_left_out_are_counted(root: Path, draw: Any) -> None:
    (root / "mel" / "scan.dcm").touch()
    (root / "mel" / "scan2.dcm").touch()
    (root / "nv" / "README").touch()
    draw(root / "top.png", 9)
    notes = " | ".join(load(root).notes)
    assert "2 .dcm, 1 without a suffix" in notes
    assert "in no folder of a class: 1" in notes


@pytest.mark.parametrize("other", ["MEL", "Mel", "mel "])
def test_classes_that_look_alike(root: Path, draw: Any, other: str) -> None:
    draw(root / other / "9.jpg", 9)
    if other.strip() == "mel":
        assert load(root).classes == ("mel", "nv")
        assert "the folder 'mel ' is taken for the class 'mel'" in load(root).notes
        return
    with pytest.raises(InputError, match="classes that look alike"):
        load(root)


def test_an_empty_folder_is_told(root: Path) -> None:
    (root / "df" / "deep").mkdir(parents=True)
    assert "folders without images, which are no classes: df" in load(root).notes


def test_a_class_called_unknown_is_told(root: Path, draw: Any) -> None:
    draw(root / "unknown" / "9.jpg", 9)
    assert any("'unknown' is taken for a class" in note for note in load(root).notes)


def test_a_folder_that_may_not_be_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = Path.iterdir

    def refusing(folder: Path) -> Any:
        if folder.name == "mel":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", refusing)
    with pytest.raises(InputError, match="mel cannot be read: Permission denied"):
        load(root)


def refusal(**section: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        load_dataset(section)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


def test_folder(tmp_path: Path, draw: Any) -> None:
    for name in ("mel/b.png", "mel/a.JPG", "nv/deep/c.jpg", "nv/d.webp", "top.png"):
        draw(tmp_path / name, 50)
    (tmp_path / "nv" / "notes.txt").write_text("x", encoding="utf-8")
    dataset = load_dataset({"source": "folder", "root": str(tmp_path), "licence": "CC0"})
    assert dataset.classes == ("mel", "nv")
    assert [(sample.image, sample.label) for sample in dataset.samples] == [
        ("mel/a.JPG", "mel"), ("mel/b.png", "mel"), ("nv/d.webp", "nv"), ("nv/deep/c.jpg", "nv"),
    ]  # fmt: skip
    assert len({sample.group for sample in dataset.samples}) == 4
    assert (dataset.name, dataset.licence) == (tmp_path.name, "CC0")


def test_folder_that_holds_no_data_set(tmp_path: Path, draw: Any) -> None:
    assert "does not exist" in refusal(source="folder", root=str(tmp_path / "absent")).message
    error = refusal(source="folder", root=str(tmp_path))
    assert "has no images" in error.message
    assert str(tmp_path / "CLASS" / "NAME.jpg") in error.hint
    draw(tmp_path / "mel" / "a.png", 0)
    assert "only one class" in refusal(source="folder", root=str(tmp_path)).message
