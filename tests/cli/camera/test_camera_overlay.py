"""What is drawn over a frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from camera_predictions import ALL, ANSWERED, REFERRED, RULE, SPOILT, photo
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekd.cli.camera.overlay import draw_overlay
from edgekd.runtime import CaptureQuality, Measures, Prediction, Reason


@pytest.mark.parametrize("prediction", ALL, ids=lambda one: one.decision)
@pytest.mark.parametrize(("width", "height"), [(640, 480), (320, 240), (480, 320), (240, 320)])
def test_the_overlay_is_a_pure_function(prediction: Prediction, width: int, height: int) -> None:
    frame = photo(width, height)
    before = frame.copy()
    drawn = draw_overlay(frame, prediction, RULE)
    assert (drawn.shape, drawn.dtype) == (frame.shape, np.uint8)
    np.testing.assert_array_equal(frame, before)
    np.testing.assert_array_equal(drawn, draw_overlay(frame, prediction, RULE))
    middle = slice(int(0.55 * height), int(0.72 * height)), slice(width // 3, width // 2)
    np.testing.assert_array_equal(drawn[middle], frame[middle])  # the lesion stays to be seen


def test_the_label_and_its_probability_are_shown_for_an_answer_alone() -> None:
    frame = photo()
    for prediction in ALL:
        other = replace(prediction, label="nv", probability=0.77)
        same = np.array_equal(draw_overlay(frame, prediction), draw_overlay(frame, other))
        assert same == (prediction.decision != "answer")


def test_a_photo_that_is_no_use_tells_nothing_of_its_classes() -> None:
    other = replace(SPOILT, conformal_set=("bkl", "nv"), reasons=SPOILT.reasons[:1])
    np.testing.assert_array_equal(
        draw_overlay(photo(), SPOILT, RULE), draw_overlay(photo(), other, RULE)
    )


def test_text_stands_on_dark_even_over_a_white_picture() -> None:
    """A contrast of 4.5 is what WCAG 2.2, criterion 1.4.3, asks for."""
    white = np.full((240, 320, 3), 255, np.uint8)
    for prediction in ALL:
        panel = draw_overlay(white, prediction, RULE)[2:20, 150:250]
        background = float(np.median(panel)) / 255
        luminance = ((background + 0.055) / 1.055) ** 2.4
        assert 1.05 / (luminance + 0.05) > 4.5


def test_what_the_camera_sees_now_is_shown_small_over_a_frozen_picture() -> None:
    frozen, live = photo(), np.full((240, 320, 3), (0, 200, 0), np.uint8)
    green = (draw_overlay(frozen, SPOILT, RULE, live=live) == (0, 200, 0)).all(axis=2)
    assert 0.02 < green.mean() < 0.08
    assert not (draw_overlay(frozen, SPOILT, RULE) == (0, 200, 0)).all(axis=2).any()


def test_a_screen_of_another_shape_gets_the_whole_frame_and_the_square_that_is_judged() -> None:
    frame = np.full((90, 160, 3), 120, np.uint8)
    drawn = draw_overlay(frame, ANSWERED, screen=(320, 240))
    assert drawn.shape == (240, 320, 3)
    row = drawn[120]
    assert (row[[0, 319]] == 120).all()  # the frame reaches both sides
    assert (row[[70, 249]] == 255).all()  # and the square is of the frame's height, 180
    column = drawn[:, 1]
    assert (column[60:180] == 120).all()
    assert (column[210:] == 0).all()  # black where the frame has another shape


def test_long_texts_leave_half_of_the_picture() -> None:
    reasons = tuple(
        Reason(
            "not-excluded", f"class {index} cannot be excluded: its probability 0.31 reaches 0.12"
        )
        for index in range(30)
    )
    names = tuple(f"a class with the name {index}" for index in range(30))
    frame = np.full((240, 320, 3), 120, np.uint8)
    crowded = draw_overlay(frame, replace(REFERRED, reasons=reasons, conformal_set=names), RULE)
    assert (crowded[125:175, 100:200] == 120).all()


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 400),
    height=st.integers(1, 400),
    label=st.text(max_size=60),
    value=st.floats(allow_nan=True, allow_infinity=True),
    decision=st.sampled_from([0, 1, 2]),
    frozen=st.booleans(),
)
def test_whatever_is_drawn_is_a_picture(
    width: int, height: int, label: str, value: float, decision: int, frozen: bool
) -> None:
    frame = np.full((height, width, 3), 120, np.uint8)
    measures = Measures(value, value, value, value, value)
    prediction = replace(
        ALL[decision],
        label=label,
        conformal_set=(label,),
        probability=value,
        quality=CaptureQuality(measures, value),
    )
    drawn = draw_overlay(frame, prediction, RULE, live=frame if frozen else None)
    assert drawn.shape == frame.shape
