"""What the data layer of a task gives by default, by a task of numbers without classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekd.data import Sample, dataset_of, split_dataset
from edgekd.data.task import DataTask, data_task
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.recipe import SplitSection


class Numbers(DataTask):
    """A label is a number, a target the number itself."""

    def label_of(self, values: Mapping[str, str]) -> str:
        raise InputError("several columns", "give one column of numbers")

    def classes_of(self, labels: Sequence[str], listed: Sequence[str] | None) -> tuple[str, ...]:
        return ()

    def targets(self, labels: Sequence[str], classes: Sequence[str]) -> NDArray[Any]:
        return np.array([float(label) for label in labels], np.float32)

    def strata(self, labels: Sequence[str], classes: Sequence[str]) -> list[str]:
        return ["low" if float(label) < 5 else "high" for label in labels]

    def counts(self, targets: NDArray[Any], classes: Sequence[str]) -> tuple[int, ...]:
        return ()


@pytest.fixture
def _numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("dataset", "labelled_rows"):
        monkeypatch.setattr(f"edgekd.data.{module}.data_task", lambda name: Numbers())


@pytest.mark.usefixtures("_numbers")
def test_a_task_without_classes_is_read_and_split_by_its_strata() -> None:
    samples = [Sample(f"{number}.png", str(number % 10), str(number)) for number in range(60)]
    dataset = dataset_of("numbers", Path(), samples, task="numbers")
    assert dataset.classes == ()
    assert dataset.targets()[:3].tolist() == [0.0, 1.0, 2.0]
    assert dataset.shows().shape == (60, 0)
    split = split_dataset(dataset, SplitSection(validation=0.2, test=0.2))
    strata = Numbers().strata(dataset.labels(), ())
    for part in ("validation", "test"):
        assert sorted(strata[index] for index in split.indices(part)) == ["high"] * 6 + ["low"] * 6


@pytest.mark.usefixtures("_numbers")
def test_an_empty_label_is_refused_by_default() -> None:
    with pytest.raises(InputError, match=r"has no label, for b\.png"):
        dataset_of("numbers", Path(), [Sample("a.png", "1", ""), Sample("b.png", "", "")], task="n")


def test_shows_follows_from_counts() -> None:
    task = data_task(DEFAULT_TASK)
    assert task.shows(np.array([1, 0]), ("a", "b")).tolist() == [[False, True], [True, False]]
    assert task.shows(np.array([], np.int64), ("a", "b")).shape == (0, 2)
