"""The camera loop, on a screen that keeps what it is shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from camera_predictions import Picture
from tiny_bundles import ANSWER, REFER, RETAKE, plate

from edgekd.cli.camera.loop import CameraLoop, FramePrediction
from edgekd.cli.camera.screen import Key
from edgekd.runtime import Classifier


class KeptScreen:
    """A screen that keeps its pictures, with somebody at its keys."""

    def __init__(self, keys: Sequence[Key] = ()) -> None:
        self.pictures: list[Picture] = []
        self._keys = list(keys)

    def show(self, picture: Picture) -> Key:
        self.pictures.append(picture)
        return self._keys.pop(0) if self._keys else "none"

    def close(self) -> None:
        pass


def watched(
    bundle: Path, colours: list[tuple[int, int, int]], keys: Sequence[Key], save: Path | None = None
) -> tuple[list[Picture], list[FramePrediction], CameraLoop]:
    screen, reported = KeptScreen(keys), list[FramePrediction]()
    frames = [np.ascontiguousarray(plate(colour)[..., ::-1]) for colour in colours]
    with Classifier.open(bundle) as classifier:
        loop = CameraLoop(classifier, screen, reported.append, save)
        loop.run(frames)
    return screen.pictures, reported, loop


def test_a_photo_that_is_no_use_stays_until_a_good_one_comes(bundle: Path) -> None:
    colours = [ANSWER, RETAKE, (4, 4, 12), (12, 4, 4), REFER]
    pictures, reported, loop = watched(bundle, colours, [])
    decisions = [judged.prediction.decision for judged in reported]
    assert decisions == ["answer", "retake", "retake", "retake", "refer"]
    np.testing.assert_array_equal(pictures[1], loop.overlay(reported[1]))
    np.testing.assert_array_equal(pictures[2], loop.overlay(reported[1], reported[2]))
    np.testing.assert_array_equal(pictures[3], loop.overlay(reported[1], reported[3]))
    np.testing.assert_array_equal(pictures[4], loop.overlay(reported[4]))


def test_a_key_lets_a_frozen_picture_go(bundle: Path) -> None:
    colours = [RETAKE, (4, 4, 12), (12, 4, 4)]
    pictures, reported, loop = watched(bundle, colours, ["none", "other"])
    np.testing.assert_array_equal(pictures[1], loop.overlay(reported[0], reported[1]))
    np.testing.assert_array_equal(pictures[2], loop.overlay(reported[2]))


def test_quit_ends_it(bundle: Path) -> None:
    pictures, reported, _ = watched(bundle, [ANSWER] * 5, ["none", "quit"])
    assert (len(pictures), len(reported)) == (2, 2)


def test_space_keeps_the_frame_that_is_on_the_screen(bundle: Path, tmp_path: Path) -> None:
    colours = [RETAKE, (4, 4, 12), ANSWER]
    _, reported, _ = watched(bundle, colours, ["none", "capture", "capture"], tmp_path)
    pictures = sorted(tmp_path.glob("*.png"), key=lambda file: file.stem.rsplit("-", 1)[1])
    assert len(pictures) == 2
    for file, judged in zip(pictures, (reported[0], reported[2]), strict=True):
        np.testing.assert_array_equal(cv2.imread(str(file)), judged.frame)
        facts = json.loads(file.with_suffix(".json").read_text())
        assert (facts["image"], facts["frame"]) == (file.name, judged.number)
        assert facts["decision"] == judged.prediction.decision
        assert facts["logits"] == pytest.approx(judged.prediction.logits)


def test_space_without_a_folder_says_so(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    watched(bundle, [ANSWER], ["capture"])
    assert "--save FOLDER" in capsys.readouterr().err
