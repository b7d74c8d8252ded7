"""The synthetic data set on disk: layout, counts, reuse."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import cv2
import pytest

from edgekd.data import synthetic
from edgekd.data.synthetic import CLASSES, class_counts, write_dataset
from edgekd.errors import InputError


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
