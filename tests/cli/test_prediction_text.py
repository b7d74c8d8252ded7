from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from edgekd.cli.camera.overlay import draw_overlay
from edgekd.cli.prediction_text import answers_of, line_of
from edgekd.runtime import Prediction, Reason

CLASS = Prediction(
    label="mel", probability=0.8, probabilities={"bkl": 0.05, "mel": 0.8, "nv": 0.15},
    decision="answer", reasons=(), conformal_set=("mel",), quality=None, logits=(0.0, 3.0, 1.0),
    timings_ms={"model": 1.0},
)  # fmt: skip
FINDINGS = dataclasses.replace(
    CLASS, label="streaks;veil", probability=None, conformal_set=None,
    probabilities={"streaks": 0.91, "dots": 0.02, "veil": 0.7},
    findings={"streaks": "present", "dots": "absent", "veil": "present"},
)  # fmt: skip
NONE = dataclasses.replace(
    FINDINGS, label="none", findings=dict.fromkeys(FINDINGS.findings, "absent")
)
VALUES = dataclasses.replace(
    CLASS, label="3.4", probability=None, probabilities={}, conformal_set=None,
    values={"depth": 3.4000001, "area": 12.0},
)  # fmt: skip
GRADE = dataclasses.replace(VALUES, values={})


@pytest.mark.parametrize(
    ("prediction", "line"),
    [
        (CLASS, "a.jpg: answer | mel 0.80 (then nv 0.15, bkl 0.05) | not excluded: mel"),
        (FINDINGS, "a.jpg: answer | streaks 0.91, veil 0.70"),
        (NONE, "a.jpg: answer | no finding"),
        (VALUES, "a.jpg: answer | depth 3.4, area 12"),
        (GRADE, "a.jpg: answer | 3.4"),
    ],
)
def test_line_has_the_answer_of_any_task(prediction: Prediction, line: str) -> None:
    assert line_of("a.jpg", prediction) == line


@pytest.mark.parametrize("prediction", [CLASS, FINDINGS, VALUES])
def test_answer_is_not_shown_where_the_patient_is_referred(prediction: Prediction) -> None:
    reason = Reason("unsure", "the probability is too low")
    referred = dataclasses.replace(prediction, decision="refer", reasons=(reason,))
    line = line_of("a.jpg", referred)
    assert line.startswith("a.jpg: refer | unsure: the probability is too low")
    assert not any(answer in line for answer in answers_of(prediction))


@pytest.mark.parametrize("prediction", [CLASS, FINDINGS, NONE, VALUES, GRADE])
@pytest.mark.parametrize("width", [120, 640])
def test_overlay_has_the_answer_of_any_task(
    prediction: Prediction, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[str] = []

    def record(_: Any, text: str, *__: Any) -> None:
        texts.append(text)

    monkeypatch.setattr("edgekd.cli.camera.overlay.write", record)
    draw_overlay(np.zeros((480, width, 3), np.uint8), prediction)
    answers = answers_of(prediction)
    heading = texts[0]
    assert answers[0] in heading or heading == f"{len(answers)} findings"
    if width == 640:
        assert heading == ", ".join(answers)
