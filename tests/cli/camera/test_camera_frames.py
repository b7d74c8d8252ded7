"""Where frames come from: video files and cameras."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_bundles import ANSWER, plate

from edgekd.cli import main
from edgekd.cli.camera.frames import LiveFrames, open_frames
from edgekd.errors import DeviceUnreachableError, InputError


def test_a_video_gives_every_frame_and_a_camera_the_newest(video: Path) -> None:
    with open_frames(str(video)) as frames:
        assert len(list(frames)) == 5
    with LiveFrames(cv2.VideoCapture(str(video)), "camera 0") as live:
        wait_for(lambda: not reading())  # meanwhile one frame takes the place of the other
        frames_seen = iter(live)
        newest = next(frames_seen)
        assert np.abs(newest.astype(int) - plate(ANSWER)[..., ::-1]).max() < 12
        with pytest.raises(DeviceUnreachableError, match="camera 0 gives no more frames"):
            next(frames_seen)


def test_a_camera_is_given_back(video: Path) -> None:
    capture = cv2.VideoCapture(str(video))
    with LiveFrames(capture, "camera 0"):
        pass
    assert not reading()
    assert not capture.isOpened()


def reading() -> bool:
    return any(thread.name == "edgekd-camera" for thread in threading.enumerate())


def wait_for(condition: object) -> None:
    assert callable(condition)
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("none.avi", "no camera or video file"),
        ("99999999999999999999", "no camera 99999999999999999999"),
        ("http://127.0.0.1/a.mp4", "is an address"),
        ("rtsp://camera", "is an address"),
        ("", "no camera or video file"),
        (".", "no camera or video file"),
    ],
)
def test_what_is_no_source(source: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        open_frames(source)


def test_a_file_that_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match="cannot be read as a video"):
        open_frames(str(tmp_path / "a.mp4"))


def test_a_playlist_fetches_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        text = f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{address}\n#EXT-X-ENDLIST\n"
        (tmp_path / "list.m3u8").write_text(text)
        with pytest.raises(InputError, match="cannot be read as a video"):
            open_frames(str(tmp_path / "list.m3u8"))
        with pytest.raises(TimeoutError):
            server.accept()


def test_no_camera_is_exit_5(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if Path("/dev/video97").exists():
        pytest.skip("this machine has that many cameras")
    assert main(["predict", str(bundle), "--camera", "97", "--headless"]) == 5
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].startswith("error: no camera 97; ")
