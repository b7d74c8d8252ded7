"""Kept predictions of compared runs."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from written_predictions import better, predictions

from edgekd.distill.comparison.comparison import comparison_of
from edgekd.distill.comparison.predictions import (
    PREDICTIONS,
    Predictions,
)
from edgekd.errors import ArtefactError, InputError


@pytest.mark.parametrize("folds", [0, 3])
@pytest.mark.parametrize("teacher", [False, True])
def test_predictions_are_read_as_they_were_kept(tmp_path: Path, folds: int, teacher: bool) -> None:
    decided, labels = better()
    kept = predictions(decided, labels, folds=folds, teacher=teacher, ordered=True)
    kept.save(tmp_path / PREDICTIONS)
    for place in (tmp_path, tmp_path / PREDICTIONS):
        found = Predictions.load(place)
        assert found.facts == kept.facts
        assert len(found.parts) == max(folds, 1)
        for own, other in zip(found.parts, kept.parts, strict=True):
            for name in ("labels", "groups", "outputs", "teacher"):
                np.testing.assert_array_equal(getattr(own, name), getattr(other, name))
        assert comparison_of(found) == comparison_of(kept)


def test_predictions_that_were_cut_are_refused(tmp_path: Path) -> None:
    file = tmp_path / PREDICTIONS
    predictions(*better(), teacher=True).save(file)
    whole = file.read_bytes()
    for tenth in range(10):
        file.write_bytes(whole[: len(whole) * tenth // 10])
        with pytest.raises(ArtefactError, match="damaged"):
            Predictions.load(file)


@pytest.mark.parametrize(
    "changed",
    [
        {"facts": None},
        {"labels-0": None},
        {"outputs-0": None},
        {"facts": np.frombuffer(b"[1, 2]", np.uint8)},
        {"facts": np.frombuffer(b"{}", np.uint8)},
        {"labels-0": np.array([0, 1])},
        {"labels-0": np.full(200, 7)},
        {"groups-0": np.arange(3)},
        {"outputs-0": np.zeros((2, 3, 200, 5), np.float32)},
        {"outputs-0": np.array(["a"])},
        {"teacher-0": np.zeros((3, 2), np.float32)},
    ],
)
def test_predictions_that_do_not_fit_are_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    file = tmp_path / PREDICTIONS
    predictions(*better(), teacher=True).save(file)
    with np.load(file) as arrays:
        content = {name: arrays[name] for name in arrays.files} | changed
    np.savez(file, **{name: array for name, array in content.items() if array is not None})
    with pytest.raises(ArtefactError, match="damaged"):
        Predictions.load(file)


def test_predictions_of_a_later_version_are_refused(tmp_path: Path) -> None:
    kept = predictions(*better())
    later = replace(kept, facts=msgspec.structs.replace(kept.facts, format_version=2))
    later.save(tmp_path / PREDICTIONS)
    with pytest.raises(ArtefactError):
        Predictions.load(tmp_path)


def test_other_files_are_no_predictions(tmp_path: Path) -> None:
    array = io.BytesIO()
    np.save(array, np.zeros(3))
    for content in (b"", b"hello", array.getvalue()):
        (tmp_path / PREDICTIONS).write_bytes(content)
        with pytest.raises(ArtefactError):
            Predictions.load(tmp_path)
    with pytest.raises(InputError, match="there are no predictions at"):
        Predictions.load(tmp_path / "nothing")
