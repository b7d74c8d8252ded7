"""HAM10000: a teacher of another size, its outputs in a file, and a student of that file alone."""

from __future__ import annotations

import csv
import os
import shutil
from collections import defaultdict
from pathlib import Path

import pytest
from safetensors.torch import load_file

from edgekd.cli import main
from edgekd.models import read_card

REPOSITORY = Path(__file__).parents[2]
DATA = Path(os.environ.get("EDGEKD_REAL_DATA") or REPOSITORY / ".." / "shared" / "data")
HAM10000 = DATA / "ham10000"
IMAGES = 150

pytestmark = pytest.mark.skipif(
    not (HAM10000 / "HAM10000_metadata.csv").is_file(),
    reason=f"HAM10000 (doi:10.7910/DVN/DBW86T) is not at {HAM10000}: unpack it there, or name the "
    "folder above it in EDGEKD_REAL_DATA",
)

RECIPE = """
name: left-behind
image_size: {size}
data: {{source: csv, file: {table}, root: {images}, group_column: lesion_id}}
split: {{validation: 0.25, test: 0.2}}
augment: {{policy: trivial, margin: 1.25, crop: 0.7}}
trainer: {{accelerator: cpu, precision: fp32, threads: 1}}
teacher: {teacher}
student:
  model: {{arch: resnet10t, options: {{channels: [4, 8, 8, 16], stem_width: 4, act_layer: relu6}}}}
  fit: {{epochs: 2, batch_size: 16, learning_rate: 1.0e-2}}
method: {{name: kd, temperature: 2.0, weight: 0.9}}
"""
RESNET50 = "{model: {arch: resnet50}, fit: {epochs: 1, batch_size: 16, learning_rate: 1.0e-3}}"


def write_table(file: Path) -> Path:
    """The first images of each class in turn, one for each lesion, so that none is too rare."""
    with (HAM10000 / "HAM10000_metadata.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["lesion_id"]: row for row in csv.DictReader(stream)}.values()
    of_class = defaultdict(list)
    for row in rows:
        of_class[row["dx"]].append(row)
    share = -(-IMAGES // len(of_class))
    chosen = [row for rows in of_class.values() for row in rows[:share]][:IMAGES]
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("image", "label", "lesion_id"))
        writer.writerows((f"{r['image_id']}.jpg", r["dx"], r["lesion_id"]) for r in chosen)
    return file


def write_recipe(folder: Path, name: str, size: int, teacher: str) -> str:
    recipe = folder / f"{name}.yaml"
    recipe.write_text(
        RECIPE.format(
            size=size, table=folder / "labels.csv", images=HAM10000 / "images", teacher=teacher
        )
    )
    return str(recipe)


@pytest.mark.slow
def test_a_student_of_the_file_alone_has_the_weights_of_one_of_the_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The ResNet-50 sees 64 px and the student 48, of the same views."""
    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path / "first"))
    write_table(tmp_path / "labels.csv")
    teacher, soft = tmp_path / "teacher", tmp_path / "soft.npz"
    larger = write_recipe(tmp_path, "teacher", 64, RESNET50)
    assert main(["train", larger, "--out", str(teacher)]) == 0
    assert read_card(teacher).image_size == 64

    beside = f"{{checkpoint: {teacher}, precision: fp32, cache: {{views: 2, seed: 5}}}}"
    taught = write_recipe(tmp_path, "taught", 48, beside)
    assert main(["distill", taught, "--out", str(tmp_path / "taught")]) == 0
    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path / "second"))  # nothing is left to copy
    makes = ["logits", str(teacher), "--recipe", taught, "--views", "2", "--seed", "5"]
    assert main([*makes, "--out", str(soft)]) == 0
    for left in ("teacher", "first", "second"):
        shutil.rmtree(tmp_path / left)

    monkeypatch.setenv("EDGEKD_CACHE", str(tmp_path / "third"))
    alone = write_recipe(tmp_path, "alone", 48, f"{{logits: {soft}}}")
    capsys.readouterr()
    assert main(["distill", alone, "--out", str(tmp_path / "alone")]) == 0
    assert f"teacher: {soft}, 2 views of" in capsys.readouterr().err
    students = [tmp_path / run / "student" for run in ("taught", "alone")]
    one, other = (load_file(folder / "model.safetensors") for folder in students)
    assert one.keys() == other.keys()
    assert all(one[name].equal(other[name]) for name in one)
    assert [read_card(folder).image_size for folder in students] == [48, 48]

    # The file is of these views alone: of others, a student would learn from wrong answers.
    assert main(["distill", alone, "--out", str(tmp_path / "x"), "--set", "augment.crop=0.8"]) == 2
    assert "made with `augment.crop` 0.7, and the recipe has 0.8" in capsys.readouterr().err
