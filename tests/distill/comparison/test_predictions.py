"""Kept predictions of compared runs."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edgekd.distill.comparison.comparison import comparison_of
from edgekd.distill.comparison.predictions import (
    PREDICTIONS,
    ComparedMethod,
    PredictionFacts,
    Predictions,
    TestedPart,
)
from edgekd.errors import ArtefactError, InputError

CLASSES = ("benign", "malignant")


def said(decided: np.ndarray, classes: int) -> np.ndarray:
    """Logits that decide so."""
    return np.eye(classes, dtype=np.float32)[decided]


def predictions(
    decided: np.ndarray,
    labels: np.ndarray,
    *,
    classes: tuple[str, ...] = CLASSES,
    folds: int = 0,
    teacher: bool = False,
    groups: np.ndarray | None = None,
    ordered: bool = False,
) -> Predictions:
    """Of the decisions of each method and seed [methods, seeds, N]; folds take turns."""
    groups = np.arange(labels.size) if groups is None else groups
    names = ["none", *(f"method-{number}" for number in range(1, len(decided)))]
    facts = PredictionFacts(
        data="painted",
        classes=classes,
        ordered=ordered,
        images={"train": 9, "validation": 9, "test": labels.size},
        split_sha256="0" * 64,
        methods=tuple(ComparedMethod(name=name, method="kd") for name in names),
        seeds=tuple(range(decided.shape[1])),
        folds=folds,
    )
    parts = [np.arange(labels.size) % max(folds, 1) == fold for fold in range(max(folds, 1))]
    logits = said(decided, len(classes))
    return Predictions(
        facts,
        tuple(
            TestedPart(
                labels[own],
                groups[own],
                logits[:, :, own],
                said(labels[own], len(classes)) if teacher else None,
            )
            for own in parts
        ),
    )


def better(seeds: int = 3, images: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Decisions [2, seeds, N] and labels [N]: the second method misses fewer of both classes.

    Of 100 benign ones 20 fewer and ten more, of 100 malignant ones 20.
    """
    labels = np.arange(images) % 2
    decided = np.tile(labels, (2, seeds, 1))
    for method, wrong in enumerate((60, 20)):
        for seed in range(seeds):
            missed = np.arange(5 * seed, 5 * seed + wrong)
            decided[method, seed, missed] = 1 - labels[missed]
    decided[0, :, images - 20 :: 2] = 1
    return decided, labels


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
