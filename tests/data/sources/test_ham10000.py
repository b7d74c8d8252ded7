from __future__ import annotations

import csv
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from edgekd.data import Split, load_dataset, split_dataset
from edgekd.errors import InputError
from edgekd.recipe import SplitSection

REPOSITORY = Path(__file__).parents[3]
REAL_DATA = Path(os.environ.get("EDGEKD_REAL_DATA") or REPOSITORY / ".." / "shared" / "data")


def refusal(**section: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        load_dataset(section)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_ham10000(painted: Path) -> None:
    dataset = load_dataset({"source": "ham10000", "root": str(painted)})
    assert dataset.classes == ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    assert len(dataset.samples) == 70
    assert len({sample.group for sample in dataset.samples}) < 70
    assert dataset.samples[0].columns["dx"] == dataset.samples[0].label
    assert dataset.licence == "CC BY-NC 4.0"
    assert all(path.is_file() for path in dataset.paths())


@pytest.fixture
def official(tmp_path: Path, painted: Path) -> Path:
    """The official layout: two parts and HAM10000_metadata.csv."""
    root = tmp_path / "ham"
    for part in ("HAM10000_images_part_1", "HAM10000_images_part_2"):
        (root / part).mkdir(parents=True)
    for number, file in enumerate(sorted((painted / "images").iterdir())):
        part = f"HAM10000_images_part_{1 + number % 2}"
        (root / part / file.name).symlink_to(file)
    (root / "HAM10000_metadata.csv").write_bytes((painted / "metadata.csv").read_bytes())
    return root


def test_ham10000_in_two_parts(official: Path) -> None:
    dataset = load_dataset({"source": "ham10000", "root": str(official)})
    folders = {sample.image.split("/")[0] for sample in dataset.samples}
    assert folders == {"HAM10000_images_part_1", "HAM10000_images_part_2"}


def test_ham10000_with_folders_and_suffixes_in_another_case(official: Path) -> None:
    (official / "HAM10000_images_part_1").rename(official / "ham10000_images_part_1")
    for file in (official / "HAM10000_images_part_2").iterdir():
        file.rename(file.with_suffix(".JPG"))
    (official / "HAM10000_metadata.csv").rename(official / "ham10000_Metadata.CSV")
    dataset = load_dataset({"source": "ham10000", "root": str(official)})
    assert len(dataset.samples) == 70
    assert all(path.is_file() for path in dataset.paths())


@pytest.mark.parametrize("name", ["HAM10000_metadata.tab", "HAM10000_metadata"])
def test_ham10000_as_its_archive_gives_it(official: Path, name: str) -> None:
    section = {"source": "ham10000", "root": str(official)}
    before = load_dataset(section)
    table = official / "HAM10000_metadata.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    quoted = ("\t".join(f'"{cell}"' for cell in line.split(",")) for line in lines)
    (official / name).write_text("\n".join(quoted), encoding="utf-8")
    table.unlink()
    (official / "._HAM10000_metadata.csv").write_bytes(b"\0\5\x16\7")
    assert load_dataset(section) == before


def test_ham10000_with_two_other_tables(official: Path) -> None:
    table = official / "HAM10000_metadata.csv"
    other = official / "a_metadata.csv"
    table.rename(other)
    assert len(load_dataset({"source": "ham10000", "root": str(official)}).samples) == 70
    (official / "b_metadata.csv").write_bytes(other.read_bytes())
    error = refusal(source="ham10000", root=str(official))
    assert "there are a_metadata.csv and b_metadata.csv" in error.message


def test_a_class_without_images_is_told(official: Path) -> None:
    table = official / "HAM10000_metadata.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join(line for line in lines if ",df," not in line), encoding="utf-8")
    dataset = load_dataset({"source": "ham10000", "root": str(official)})
    assert "there is no image of the class 'df'" in dataset.notes
    merge = {"benign": ["bkl", "df", "nv", "vasc"], "malignant": ["akiec", "bcc", "mel"]}
    merged = load_dataset({"source": "ham10000", "root": str(official), "merge": merge})
    assert "there is no image of the class 'df'" in merged.notes


def test_ham10000_missing_pieces(official: Path) -> None:
    section = {"source": "ham10000", "root": str(official)}
    metadata = official / "HAM10000_metadata.csv"
    edit(metadata, "lesion_id", "lesion")
    assert "did you mean 'lesion'?" in refusal(**section).hint
    edit(metadata, "lesion,", "lesion_id,")
    (official / "HAM10000_images_part_1" / "SYNI_0000000.jpg").unlink()
    error = refusal(**section)
    assert "names the image 'SYNI_0000000', which is not in" in error.message
    assert str(official / "HAM10000_images_part_1") in error.hint
    metadata.unlink()
    error = refusal(**section)
    assert f"does not look like HAM10000: {metadata} is missing" in error.message


def test_ham10000_with_a_class_of_another_set(official: Path) -> None:
    edit(official / "HAM10000_metadata.csv", ",df,", ",scc,")
    assert "the class 'scc'" in refusal(source="ham10000", root=str(official)).message


@pytest.fixture
def lesions(tmp_path: Path, official: Path) -> Path:
    """A selection of the official layout: the first image of four fifths of its lesions."""
    root = tmp_path / "selection" / "lesions"
    (root / "images").mkdir(parents=True)
    with (official / "HAM10000_metadata.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["lesion_id"]: row for row in reversed(list(csv.DictReader(stream)))}
    chosen = [row for number, row in enumerate(rows.values()) if number % 5]
    with (root / "HAM10000_metadata.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(chosen[0]))
        writer.writeheader()
        writer.writerows(chosen)
    for row in chosen:
        image = next(official.glob(f"*/{row['image_id']}.*"))
        (root / "images" / image.name).symlink_to(image)
    return root


def test_further_images_are_for_training_alone(official: Path, lesions: Path) -> None:
    alone = {"source": "ham10000", "root": str(lesions)}
    section = SplitSection(validation=0.3, test=0.3)
    before = split_dataset(load_dataset(alone), section)
    more = load_dataset(alone | {"training_root": str(official)})
    after = split_dataset(more, section)
    assert all(path.is_file() for path in more.paths())
    assert len(more.samples) == 70

    def named(split: Split, part: str) -> list[str]:
        return [split.dataset.paths([index])[0].stem for index in split.indices(part)]

    for part in ("validation", "test"):
        assert named(after, part) == named(before, part)
    assert set(named(before, "train")) < set(named(after, "train"))
    judged = {more.samples[i].group for part in ("validation", "test") for i in after.indices(part)}
    trained = {more.samples[index].group for index in after.indices("train")}
    assert not judged & trained
    assert trained - {sample.group for sample in before.dataset.samples}  # lesions that root lacks
    assert any("left out" in note for note in after.dataset.notes)  # other views of judged lesions


def test_further_images_that_add_nothing(official: Path) -> None:
    section = {"source": "ham10000", "root": str(official), "training_root": str(official)}
    assert "has no image that" in refusal(**section).message


@pytest.mark.skipif(
    not (REAL_DATA / "ham10000").is_dir(),
    reason=f"the real HAM10000 is not at {REAL_DATA} (EDGEKD_REAL_DATA names its folder)",
)
def test_real_ham10000_is_split_by_lesion() -> None:
    dataset = load_dataset({"source": "ham10000", "root": str(REAL_DATA / "ham10000")})
    with (REAL_DATA / "ham10000" / "HAM10000_metadata.csv").open(encoding="utf-8") as stream:
        assert len(dataset.samples) == len(list(csv.DictReader(stream))) == 10_015
    split = split_dataset(dataset, SplitSection())
    assert split.sha256() == "3b5ec4f13c7b680bf6cbd0f45e069375a96bd156b2274dd32da424f6de8ae55a"
    assert dataset.notes == ()
    parts: dict[str, set[str]] = defaultdict(set)
    for sample, part in zip(dataset.samples, split.parts, strict=True):
        parts[sample.group].add(part)
    assert len(parts) == 7470
    assert all(len(found) == 1 for found in parts.values())
    assert split.counts()["test"] / 10_015 == pytest.approx(0.2, abs=0.005)
    assert split.counts()["validation"] / 10_015 == pytest.approx(0.15, abs=0.005)


@pytest.mark.skipif(
    not ((REAL_DATA / "ham10000").is_dir() and (REAL_DATA / "ham10000_lesions_224").is_dir()),
    reason=f"HAM10000 and its selection ham10000_lesions_224 are not at {REAL_DATA} "
    "(EDGEKD_REAL_DATA names their folder)",
)
def test_the_rest_of_the_real_ham10000_is_for_training_alone() -> None:
    section = {
        "source": "ham10000",
        "root": str(REAL_DATA / "ham10000_lesions_224"),
        "training_root": str(REAL_DATA / "ham10000"),
    }
    split = split_dataset(load_dataset(section), SplitSection(validation=0.15, test=0.2))
    assert split.counts() == {"train": 7191, "validation": 897, "test": 1198}
    samples = split.dataset.samples
    folders = {samples[i].image.split("/")[0] for part in ("validation", "test")
               for i in split.indices(part)}  # fmt: skip
    assert folders == {"ham10000_lesions_224"}
