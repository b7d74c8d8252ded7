"""The signs of the decisions."""

from __future__ import annotations

import cv2
import numpy as np
from camera_predictions import ALL

from edgekd.cli.camera.overlay import draw_overlay


def test_decisions_differ_without_colour_and_without_words() -> None:
    frame = np.zeros((480, 640, 3), np.uint8)
    side = slice(10, 38), slice(10, 38)
    signs = []
    for prediction in ALL:
        sign = draw_overlay(frame, prediction)[side]
        grey = cv2.cvtColor(sign, cv2.COLOR_BGR2GRAY)
        assert int(grey.max()) - int(grey.min()) > 60
        signs.append(grey > (int(grey.max()) + int(grey.min())) // 2)
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert np.mean(signs[first] != signs[second]) > 0.08
