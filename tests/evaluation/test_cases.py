"""Which single images are shown: critical ones that were missed, and a gallery."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scripted import answered, answers_of, data_of, validation_of
from tiny_bundles import ANSWER, write_photo, write_tiny_bundle

from edgekd.evaluation.cases import cases_of, gallery_images, missed_images

LABELS = ["mel"] * 5 + ["nv"] * 4
ANSWERS = ["mel", "nv", "nv", "nv", "bkl", "nv", "nv", "mel", "nv"]
VERDICTS = ["answer", "answer", "answer", "refer", "retake", "answer", "answer", "answer", "refer"]


def test_missed_are_answered_and_the_most_confident_come_first():
    answers = answers_of(data_of(LABELS), ANSWERS, VERDICTS)
    missed = missed_images(answers, [0])
    assert sorted(missed) == [1, 2]
    confidence = answers.confidence[missed]
    assert confidence[0] >= confidence[1]
    assert missed_images(answers, []) == []


def test_the_gallery_takes_classes_and_outcomes_in_turn():
    answers = answers_of(data_of(LABELS), ANSWERS, VERDICTS)
    chosen = gallery_images(answers, [1, 2], 5)
    assert chosen == [0, 5, 7, 3, 8]
    assert gallery_images(answers, [], 0) == []
    assert sorted(gallery_images(answers, [], 99)) == list(range(9))


def test_cases_of_a_real_bundle_have_maps(tmp_path: Path) -> None:
    """Red photos labelled as melanoma, which the tiny bundle answers `bkl`."""
    data = data_of(["mel"] * 3, classes=("bkl", "mel", "nv"), folder=tmp_path)
    for path in data.bench.paths:
        write_photo(path.with_suffix(".png"), ANSWER).rename(path)
    write_tiny_bundle(tmp_path / "bundle")
    model = answered(data, ["bkl"] * 3, ["answer"] * 3, name=str(tmp_path / "bundle"))
    (cases,) = cases_of(validation_of(data, model), 2)
    assert (len(cases.missed), cases.missed_in_all, cases.gallery) == (2, 3, [])
    first = cases.missed[0]
    assert (first.label, first.answer, first.explained, first.verdict) == (
        "mel", "bkl", "bkl", "answer",
    )  # fmt: skip
    assert "data:image/jpeg;base64," in first.picture
    assert np.isclose(first.probability, 1.0, atol=0.2)
    (none,) = cases_of(validation_of(data, model), 0)
    assert (none.missed, none.missed_in_all) == ([], 3)
