"""The lesion or patient of each image on its way to the intervals."""

from __future__ import annotations

from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from bench_results import CLASSES, POLICY
from cards import CLASSES as CARD_CLASSES
from cards import make_card

from edgekd.bench.report.formats import over_groups
from edgekd.bench.result import DataFacts, Estimate
from edgekd.bench.subjects.data import BenchData, data_facts
from edgekd.bench.subjects.labelled import data_of_csv, data_of_run
from edgekd.data import Split
from edgekd.data.dataset import Sample, dataset_of
from edgekd.data.split import write_split
from edgekd.errors import InputError
from edgekd.metrics.task import metrics_task
from edgekd.models.card import SPLIT


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Twelve photos of four patients, two without one."""
    rows = ["image,label,patient"]
    for number in range(14):
        assert cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 8, 3), number, np.uint8))
        patient = f" P{number // 3} " if number % 2 and number < 12 else f"P{number // 3}"
        rows.append(f"{number}.png,{CLASSES[number % 3]},{patient if number < 12 else ' '}")
    file = tmp_path / "labels.csv"
    file.write_text("\n".join(rows) + "\n")
    return file


def test_a_column_of_patients_is_read(table: Path) -> None:
    data = data_of_csv(table, CLASSES, group_column="patient")
    assert data.groups is not None
    assert [*data.groups[:12]] == [f"P{number // 3}" for number in range(12)]
    assert len(set(data.groups)) == 6  # who has none stands alone
    assert data_facts(data).groups == 6
    assert data_of_csv(table, CLASSES).groups is None
    assert data_facts(data_of_csv(table, CLASSES)).groups is None


def test_a_column_that_is_not_there_is_told(table: Path) -> None:
    with pytest.raises(InputError, match="lesion"):
        data_of_csv(table, CLASSES, group_column="lesion")


def test_fewer_images_keep_their_patients(table: Path) -> None:
    data = data_of_csv(table, CLASSES, group_column="patient").limited(5)
    assert data.groups is not None
    assert len(data.groups) == len(data.images) == 5
    for path, group in zip(data.paths, data.groups, strict=True):
        assert group == f"P{int(path.stem) // 3}" or int(path.stem) >= 12


def accuracy_of(outputs: np.ndarray, data: BenchData) -> Estimate:
    task = metrics_task(data.task)
    metrics = task.evaluate(outputs, data.targets, data.classes, groups=data.groups)
    assert metrics.accuracy is not None
    return metrics.accuracy


def test_the_intervals_of_a_row_are_those_of_its_patients(table: Path) -> None:
    data = data_of_csv(table, CLASSES, group_column="patient")
    logits = np.eye(3, dtype=np.float32)[data.targets]
    logits[:3] = np.roll(logits[:3], 1, axis=1)  # all of one patient
    blind = accuracy_of(logits, data_of_csv(table, CLASSES))
    known = accuracy_of(logits, data)
    assert known.value == blind.value
    assert known.low is not None
    assert blind.low is not None
    assert known.low < blind.low - 0.05


@pytest.mark.parametrize(
    ("groups", "said"),
    [(None, ""), (100, ""), (70, " over 70 lesions or patients")],
)
def test_a_report_says_what_is_independent(groups: int | None, said: str) -> None:
    facts = DataFacts(name="a", split="test", n=100, sha256="0", groups=groups)
    assert over_groups(facts, POLICY) == said


def test_the_test_part_of_a_run_brings_its_lesions(table: Path, tmp_path: Path) -> None:
    samples = [
        Sample(f"{number}.png", CARD_CLASSES[number % 3], f"L{number // 2}") for number in range(12)
    ]
    dataset = dataset_of("tiny", table.parent, samples, classes=CARD_CLASSES)
    parts = ("train",) * 4 + ("test",) * 8
    student = tmp_path / "student"
    student.mkdir()
    split = Split(dataset, parts)
    (student / SPLIT).write_text(write_split(split))
    card = make_card()
    about = msgspec.structs.replace(card.data, sha256=split.sha256())
    data = data_of_run(student, msgspec.structs.replace(card, data=about), table.parent)
    assert data.groups is not None
    assert [*data.groups] == [f"L{number // 2}" for number in range(4, 12)]
    assert data_facts(data).groups == 4
