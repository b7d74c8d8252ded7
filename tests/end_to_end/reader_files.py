"""The files that a reader of README and docs/ would have, made of a small run."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import bench_results
import cv2
import msgspec
import timm
import torch
import yaml
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, VLPhotographicImageStorage, generate_uid

from edgekd.cli import main

__all__ = ["make_reader"]

_NETWORK = """
from torch import nn

class Class(nn.Sequential):
    def __init__(self, num_classes):
        layers = [nn.Conv2d(3, 8, 3, stride=2), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        super().__init__(*layers, nn.Linear(8, num_classes))
"""


def make_reader(folder: Path, run: Path, bundles: Path, teachable: Path) -> None:
    """Write them.

    Args:
        folder: An empty folder.
        run: A run of `edgekd distill`.
        bundles: Its bundles.
        teachable: Its bundles with features.
    """
    places = ["runs/demo/bundles/rpi", "runs/mine/bundles/rpi", "bundles/rpi", "OLD", "NEW"]
    for place in [*places, "bundles/rpi-2025", "bundles/rpi-2026"]:
        shutil.copytree(bundles / "rpi-int8", folder / place)
    for target in ("android", "jetson"):
        shutil.copytree(bundles / f"{target}-int8", folder / "bundles" / target)
    shutil.copytree(bundles / "rpi-fp32", folder / "uncertified")  # its own float student
    shutil.copytree(teachable / "rpi-int8", folder / "teachable")
    for role in ("teacher", "student"):
        (folder / "runs/mine" / role).symlink_to(run / role)
    (folder / "teacher").symlink_to(run / "teacher")
    (folder / "data").symlink_to(run / "data")
    _write_recipes(folder, run)
    _write_tables(folder, run)
    _write_photos(folder)
    (folder / "package").mkdir()
    (folder / "package/module.py").write_text(_NETWORK)
    network = timm.create_model("mobilenetv3_small_050", num_classes=3)
    torch.save(network.state_dict(), folder / "model.pth")
    for name in ("rpi.json", "jetson.json"):
        (folder / name).write_bytes(msgspec.json.encode(bench_results.full_result()))
    _write_answers(folder)


def _write_recipes(folder: Path, run: Path) -> None:
    """`mine.yaml`, the run's recipe with one epoch, and `student.yaml`, for outputs of a file."""
    recipe = yaml.safe_load((run / "student" / "recipe.json").read_text())
    for role in ("teacher", "student"):
        recipe[role]["fit"]["epochs"] = 1
    (folder / "mine.yaml").write_text(yaml.safe_dump(recipe))
    recipe["teacher"] = {}
    (folder / "student.yaml").write_text(yaml.safe_dump(recipe))


def _write_tables(folder: Path, run: Path) -> None:
    """`labels.csv`, and the tables of other hospitals, of images of the test part."""
    rows = _rows(run / "student" / "split.csv")
    labels = {
        str(run / "data" / row["image"]): row["label"] for row in rows if row["part"] == "test"
    }
    mine: list[dict[str, Any]] = [
        {
            "image": image,
            "label": label,
            "dx": label,
            "patient": f"p{number // 2}",
            "sex": "fm"[number % 2],
            "age": 30 + number % 40,
            "localization": "back",
        }
        for number, (image, label) in enumerate(labels.items())
    ]
    other = [_renamed(row, nv="Common Nevus") for row in mine]
    # Few, of which three models are shown by many passes each.
    ph2 = [_renamed(row, nv="Common Nevus", mel="Melanoma") for row in mine[:28]]
    tables = {"labels.csv": mine, "mine.csv": mine, "ours.csv": mine}
    few = [row for label in ("nv", "vasc") for row in [m for m in mine if m["dx"] == label][:8]]
    tables["few.csv"] = [{**row, "patient": f"p{number}"} for number, row in enumerate(few)]
    rare = [{**row, "dx": f"rare {number % 2}"} for number, row in enumerate(mine)]
    further = {"other.csv": other, "ph2.csv": ph2, "rare.csv": rare}
    for name, lines in {**tables, **further}.items():
        with (folder / name).open("w", newline="") as file:
            table = csv.DictWriter(file, lines[0])
            table.writeheader()
            table.writerows(lines)


def _renamed(row: dict[str, Any], **names: str) -> dict[str, Any]:
    """A row as another hospital writes it."""
    label = names.get(row["label"], row["label"])
    return {**row, "file": row["image"], "label": label, "diagnosis": label}


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as table:
        return list(csv.DictReader(table))


def _write_photos(folder: Path) -> None:
    """`photo.jpg`, and the same as `photo.dcm`."""
    first = _rows(folder / "labels.csv")[0]["image"]
    shutil.copy(first, folder / "photo.jpg")
    photo = cv2.imread(first)
    assert photo is not None
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = Dataset()
    dataset.file_meta = meta
    dataset.SOPClassUID, dataset.SOPInstanceUID = VLPhotographicImageStorage, generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.PatientID = "4711"
    dataset.set_pixel_data(cv2.cvtColor(photo, cv2.COLOR_BGR2RGB), "RGB", 8)
    dataset.save_as(folder / "photo.dcm", enforce_file_format=True)


def _write_answers(folder: Path) -> None:
    """What other commands of the documents have made: key, signature, plan, answers, results."""
    key, bundle = str(folder / "key.pem"), str(folder / "bundles/rpi")
    assert main(["sign", "--new-key", key]) == 0
    assert main(["sign", str(folder / "runs/demo/bundles/rpi"), "--key", key]) == 0
    table, result = str(folder / "ours.csv"), folder / "ours.json"
    assert main(["eval", bundle, "--csv", table, "--by", "sex", "--json", str(result)]) == 0
    shutil.copy(result, folder / "out.json")
    recipe = ["--recipe", str(folder / "student.yaml"), "--views", "1"]
    place = str(folder / "runs/mine/teacher")
    assert main(["logits", place, *recipe, "--out", str(folder / "soft.npz")]) == 0
