"""An occlusion map over a photo."""

from __future__ import annotations

import re

import numpy as np

from edgekd.evaluation.pictures import map_picture


def test_cells_lie_over_the_photo_by_sign_and_strength() -> None:
    changes = np.array([[0.4, 0.0], [-0.2, 0.1]])
    svg = map_picture(changes, "AAAA", "mel")
    assert 'href="data:image/jpeg;base64,AAAA"' in svg
    cells = re.findall(
        r'<rect x="([\d.]+)" y="([\d.]+)".*?fill="(#\w+)" fill-opacity="([\d.]+)"', svg
    )
    assert cells == [
        ("0.0", "0.0", "#D55E00", "0.7"),
        ("0.0", "88.0", "#0072B2", "0.35"),
        ("88.0", "88.0", "#D55E00", "0.175"),
    ]
    assert "hiding row 1, column 1 of 2 lowers the probability most, by 40 points" in svg


def test_noise_stays_faint() -> None:
    svg = map_picture(np.full((2, 2), 0.001), "AAAA", "mel")
    assert set(re.findall(r'fill-opacity="([\d.]+)"', svg)) == {"0.035"}
