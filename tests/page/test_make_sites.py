"""What the page's tests in Chromium are given decides so in Python too."""

from __future__ import annotations

from pathlib import Path

import pytest
from make_sites import make_sites

from edgekd.errors import ArtefactError, ImageError
from edgekd.runtime import Classifier


def test_photos_and_bundles_are_what_their_names_say(tmp_path: Path) -> None:
    make_sites(tmp_path)
    with Classifier.open(tmp_path / "good.edgekd", public_key=tmp_path / "key.pub.pem") as model:
        decisions = {
            name: model.predict(tmp_path / name).decision
            for name in ("answer.jpg", "spot.jpg", "refer.jpg", "dark.png", "blurred.jpg")
        }
        for name in ("text.jpg", "truncated.jpg"):
            with pytest.raises(ImageError):
                model.predict(tmp_path / name)
    assert decisions == {
        "answer.jpg": "answer", "spot.jpg": "answer", "refer.jpg": "refer", "dark.png": "retake",
        "blurred.jpg": "retake",
    }  # fmt: skip
    for name in ("cut", "changed", "wrong"):
        with pytest.raises(ArtefactError):
            Classifier.open(tmp_path / f"{name}.edgekd")
    with pytest.raises(ArtefactError):
        Classifier.open(tmp_path / "good.edgekd", public_key=tmp_path / "other.pub.pem")
