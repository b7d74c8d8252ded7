"""Synthetic dermoscopy: repeatable, balanced as said, written whole, neither trivial nor noise."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from edgekd.data import synthetic
from edgekd.data.contact_sheet import contact_sheet
from edgekd.data.synthetic import CLASSES, class_counts, paint, write_dataset
from edgekd.errors import InputError

Image = npt.NDArray[np.uint8]


def test_classes_are_those_of_ham10000_in_order() -> None:
    assert CLASSES == ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")


@pytest.mark.parametrize("label", CLASSES)
@pytest.mark.parametrize("size", [32, 65])
def test_paints_rgb_bytes_repeatably(label: str, size: int) -> None:
    image = paint(label, 3, size)
    assert image.shape == (size, size, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, paint(label, 3, size))


def test_every_seed_class_and_view_differs() -> None:
    painted = [paint(label, seed, 32).tobytes() for label in CLASSES for seed in range(5)]
    painted += [paint("mel", 0, 32, view=view).tobytes() for view in (1, 2)]
    assert len(set(painted)) == len(painted)


def test_global_random_state_is_left_alone() -> None:
    np.random.seed(1)  # noqa: NPY002
    before = paint("nv", 0, 48)
    np.random.seed(2)  # noqa: NPY002
    np.testing.assert_array_equal(before, paint("nv", 0, 48))


def test_no_image_is_blank() -> None:
    for label in CLASSES:
        for seed in range(10):
            assert paint(label, seed, 48).std() > 8


@pytest.mark.parametrize(
    ("label", "seed", "size", "view"),
    [("naevus", 0, 64, 0), ("nv", -1, 64, 0), ("nv", 0, 31, 0), ("nv", 0, 64, -1)],
)
def test_paint_refuses(label: str, seed: int, size: int, view: int) -> None:
    with pytest.raises(InputError) as caught:
        paint(label, seed, size, view=view)
    assert caught.value.hint


@pytest.mark.parametrize("images", [7, 8, 20, 101, 2500])
def test_counts_add_up_and_leave_no_class_out(images: int) -> None:
    counts = class_counts(images)
    assert sum(counts.values()) == images
    assert min(counts.values()) >= 1
    assert max(counts, key=lambda label: counts[label]) == "nv" or images < 14


def test_counts_follow_the_prevalence() -> None:
    assert sum(synthetic.PREVALENCE.values()) == pytest.approx(1)
    expected = {"akiec": 90, "bcc": 110, "bkl": 160, "df": 50, "mel": 170, "nv": 350, "vasc": 70}
    assert class_counts(1000) == expected


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return total.hexdigest()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("a") / "set", images=120, seed=5, size=32)


def test_dataset_has_the_official_layout(dataset: Path) -> None:
    rows = _rows(dataset)
    official = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]
    assert list(rows[0]) == official
    files = {path.stem for path in (dataset / "images").glob("*.jpg")}
    assert files == {row["image_id"] for row in rows}
    assert len(files) == 120
    labels = [row["dx"] for row in rows]
    assert {label: labels.count(label) for label in CLASSES} == class_counts(120)
    assert labels != sorted(labels)
    stored = cv2.imread(str(dataset / "images" / f"{rows[0]['image_id']}.jpg"))
    assert stored is not None
    assert stored.shape == (32, 32, 3)


def test_a_fifth_of_the_lesions_has_two_views(dataset: Path) -> None:
    by_lesion: dict[str, list[dict[str, str]]] = {}
    for row in _rows(dataset):
        by_lesion.setdefault(row["lesion_id"], []).append(row)
    pairs = [views for views in by_lesion.values() if len(views) == 2]
    assert len(pairs) / len(by_lesion) == pytest.approx(0.2, abs=0.05)
    assert max(len(views) for views in by_lesion.values()) == 2
    for first, second in pairs:
        assert {**first, "image_id": ""} == {**second, "image_id": ""}


def test_views_share_the_patient_but_not_the_photograph() -> None:
    def gap(a: Image, b: Image) -> float:
        return float(np.abs(a.mean((0, 1)) - b.mean((0, 1))).mean())

    same = [gap(paint("nv", s, 48), paint("nv", s, 48, view=1)) for s in range(30)]
    other = [gap(paint("nv", s, 48), paint("nv", s + 100, 48)) for s in range(30)]
    assert 0 < np.mean(same) < np.mean(other)


def test_dataset_bytes_depend_on_the_arguments_alone(dataset: Path, tmp_path: Path) -> None:
    again = write_dataset(tmp_path / "set", images=120, seed=5, size=32)
    assert _digest(again) == _digest(dataset)
    other = write_dataset(tmp_path / "other", images=120, seed=6, size=32)
    assert _digest(other) != _digest(dataset)


def test_a_complete_folder_is_reused(dataset: Path) -> None:
    def forbidden(done: int, total: int) -> None:
        raise AssertionError("painted again")

    assert write_dataset(dataset, images=120, seed=5, size=32, progress=forbidden) == dataset


def test_a_folder_of_another_version_is_not_reused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_dataset(tmp_path / "set", images=7, seed=0, size=32)
    monkeypatch.setattr("edgekd.data.synthetic.dataset.GENERATOR_VERSION", 999)
    with pytest.raises(InputError, match="something else"):
        write_dataset(folder, images=7, seed=0, size=32)


def test_foreign_files_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError):
        write_dataset(tmp_path, images=7, seed=0, size=32)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, OSError])
def test_an_interrupted_write_leaves_nothing(tmp_path: Path, kind: type[BaseException]) -> None:
    def stop(done: int, total: int) -> None:
        if done == 3:
            raise kind

    with pytest.raises(kind):
        write_dataset(tmp_path / "set", images=10, seed=0, size=32, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_filled_and_progress_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    write_dataset(tmp_path, images=7, seed=0, size=32, progress=lambda *at: told.append(at))
    assert told == [(n, 7) for n in range(1, 8)]
    assert {row["dx"] for row in _rows(tmp_path)} == set(CLASSES)


@pytest.mark.parametrize(("images", "seed", "size"), [(6, 0, 64), (10, -1, 64), (10, 0, 16)])
def test_write_dataset_refuses(tmp_path: Path, images: int, seed: int, size: int) -> None:
    with pytest.raises(InputError):
        write_dataset(tmp_path / "set", images=images, seed=seed, size=size)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def crowd() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Centres of 60 images of each class, [420, 40, 40, 3], and the classes."""
    images = [paint(label, seed, 64)[12:52, 12:52] for label in CLASSES for seed in range(60)]
    return np.stack(images).astype(np.float32), np.repeat(np.arange(len(CLASSES)), 60)


def _nearest_centroid(
    features: npt.NDArray[np.float32], classes: npt.NDArray[np.int64], *, whiten: bool
) -> float:
    """Balanced accuracy on every second sample, the centroids taken from the others.

    Distances are in units of each feature's spread, or of the spread within a class (`whiten`).
    """
    known, asked, labels = features[::2], features[1::2], classes[::2]
    centroids = np.stack([known[labels == k].mean(0) for k in range(len(CLASSES))])
    within = np.cov((known - centroids[labels]).T)
    within += 0.1 * np.diag(np.diag(within))  # few samples: keep it well conditioned
    metric = np.linalg.inv(within) if whiten else np.diag(1 / known.var(0))
    gap = asked[:, None] - centroids
    guess = np.einsum("nki,ij,nkj->nk", gap, metric, gap).argmin(1)
    return float((guess == classes[1::2]).mean())


def _spectrum(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Structure without colour: contrast of each channel in three octaves, and its sign."""
    found = []
    for sigma in (0.7, 1.4, 2.8):
        fine = [cv2.GaussianBlur(i, (0, 0), sigma) for i in images]
        wide = [cv2.GaussianBlur(i, (0, 0), 2 * sigma) for i in images]
        band = np.stack(fine) - np.stack(wide)
        found += [np.log(band.std((1, 2)) + 0.1), (band**3).mean((1, 2)) / band.std((1, 2)) ** 3]
    return np.concatenate(found, axis=1)


def test_colour_alone_is_weak_and_structure_is_not(
    crowd: tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]],
) -> None:
    images, classes = crowd
    mean_colour, spectrum = images.mean((1, 2)), _spectrum(images)
    assert _nearest_centroid(mean_colour, classes, whiten=False) < 0.4
    structure = _nearest_centroid(spectrum, classes, whiten=True)
    assert structure > 0.45
    assert structure > _nearest_centroid(mean_colour, classes, whiten=True) + 0.05


def test_contact_sheet_places_every_image() -> None:
    wide = np.full((20, 40, 3), (200, 10, 10), dtype=np.uint8)
    small = np.full((8, 8, 3), (10, 200, 10), dtype=np.uint8)
    sheet = contact_sheet([wide, small, wide], ["mel", "a very long label", "nv"], 2, tile=32)
    assert sheet.shape == (2 * 54 + 4, 2 * 36 + 4, 3)
    assert sheet.dtype == np.uint8
    assert tuple(sheet[4 + 18 + 16, 4 + 16]) == (200, 10, 10)
    assert tuple(sheet[4 + 18 + 16, 40 + 16]) == (10, 200, 10)
    assert (sheet[:22, 4:36] < 100).any(), "the label is written"
    assert (sheet[:, 72:] == 255).all(), "a long label stays on its tile"


def test_contact_sheet_refuses() -> None:
    image = np.zeros((8, 8, 3), dtype=np.uint8)
    for images, labels, columns in (([], [], 2), ([image], ["a", "b"], 2), ([image], ["a"], 0)):
        with pytest.raises(InputError):
            contact_sheet(images, labels, columns)
