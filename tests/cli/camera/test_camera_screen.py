"""Keys, and a window where OpenCV has none."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from edgekd.cli import main
from edgekd.cli.camera.screen import Key, key_of


@pytest.mark.parametrize(
    ("code", "key"),
    [
        (-1, "none"),
        (ord("q"), "quit"),
        (27, "quit"),
        (32, "capture"),
        (0x10001B, "quit"),
        (97, "other"),
    ],
)
def test_keys(code: int, key: Key) -> None:
    assert key_of(code) == key


def test_a_window_that_this_opencv_has_not_is_exit_3(
    bundle: Path, video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not any(line.split() == ["GUI:", "NONE"] for line in cv2.getBuildInformation().splitlines()):
        pytest.skip("this OpenCV has windows")
    assert main(["predict", str(bundle), "--camera", str(video)]) == 3
    said = capsys.readouterr()
    assert "pip install opencv-python;" in said.err
    assert "--headless" in said.err
    assert said.out == ""
