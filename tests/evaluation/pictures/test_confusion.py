"""The confusion matrix: each cell in its place, as dark as its share."""

from __future__ import annotations

import re

import pytest

from edgekd.evaluation.pictures import confusion_picture

COUNTS = {"mel": [6, 2, 1, 1], "nv": [0, 10, 0, 0]}


def test_cells_are_as_dark_as_their_share_of_the_row() -> None:
    svg = confusion_picture(COUNTS, ["mel", "nv", "referred", "retake"])
    opacities = re.findall(r'<rect [^>]*fill-opacity="([\d.]+)"', svg)
    shares = [float(each) / 0.55 for each in opacities]
    assert shares == pytest.approx([0.6, 0.2, 0.1, 0.1, 0, 1, 0, 0], abs=1e-3)
    assert "2 of 10 images of mel: nv" in svg
    assert "mel: 6 mel, 2 nv, 1 referred, 1 retake; nv: 10 nv." in svg


def test_the_diagonal_is_framed_and_zeros_are_blank() -> None:
    svg = confusion_picture(COUNTS, ["mel", "nv", "referred", "retake"])
    assert svg.count('class="ink"') == 2
    assert re.findall(r">(\d+)</text>", svg) == ["6", "2", "1", "1", "10"]


def test_long_names_and_an_absent_class() -> None:
    name = "a diagnosis whose name no column can hold"
    svg = confusion_picture({name: [0, 0]}, [name, "nv"])
    assert f"{name}: no image." in svg
    assert "…</text>" in svg
