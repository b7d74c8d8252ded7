"""edgekd.conformance.planes: a camera's frame without a JPEG between."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edgekd.conformance.painting import skin
from edgekd.conformance.planes import TURNS, Frame, frame_of, square_of_planes
from edgekd.errors import ImageError
from edgekd.runtime.preprocess import square


def _whole(frame: Frame) -> NDArray[np.uint8]:
    """The frame converted pixel by pixel, and turned: what a camera's JPEG would show."""
    height, width = frame.height, frame.width
    luma = np.frombuffer(frame.y.content, np.uint8).reshape(height, width)
    half = (height // 2, width // 2)
    chroma = [np.frombuffer(plane.content, np.uint8).reshape(half) for plane in (frame.v, frame.u)]
    full = [plane.repeat(2, 0).repeat(2, 1) for plane in chroma]
    rgb = cv2.cvtColor(np.stack([luma, *full], -1), cv2.COLOR_YCrCb2RGB)
    return np.ascontiguousarray(np.rot90(rgb, -frame.turn // 90)).astype(np.uint8)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize(("width", "height"), [(640, 480), (98, 134), (1280, 720)])
def test_it_is_nearly_the_square_of_the_whole_frame(width: int, height: int, turn: int) -> None:
    frame = frame_of(skin(width, height, 5), turn=turn)
    expected = square(_whole(frame), 64).astype(int)
    difference = np.abs(square_of_planes(frame, 64) - expected)
    assert difference.max() <= 2
    assert difference.mean() <= 0.4


def test_layouts_of_memory_do_not_matter() -> None:
    image = skin(96, 64, 1)
    plain = square_of_planes(frame_of(image), 32)
    apart = square_of_planes(frame_of(image, pixel_stride=2, padding=5), 32)
    assert np.array_equal(plain, apart)


def test_colours_are_those_of_jfif() -> None:
    for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)):
        image = np.full((16, 16, 3), colour, np.uint8)
        assert np.abs(square_of_planes(frame_of(image), 8).astype(int) - colour).max() <= 2


def test_a_frame_that_is_none_is_refused() -> None:
    whole = frame_of(skin(64, 48))
    for frame, words in (
        (Frame(whole.y, whole.u, whole.v, 63, 48), "63 x 48, not of even sides"),
        (Frame(whole.y, whole.u, whole.v, 64, 48, 30), "the turn is 30"),
        (Frame(whole.u, whole.u, whole.v, 64, 48), "the plane Y has 768 bytes"),
    ):
        with pytest.raises(ImageError, match=words):
            square_of_planes(frame, 32)
