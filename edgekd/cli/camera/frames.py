"""Sources of frames: a camera, which always gives its newest frame, or a video file."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edgekd.errors import DeviceUnreachableError, InputError

__all__ = ["Frames", "LiveFrames", "VideoFrames", "open_frames"]

_PATIENCE = 10.0
"""Seconds that a camera may take for a frame."""

_MOST = (1 << 20) - 1
"""The highest minor number of a Linux device."""


class Frames(Protocol):
    """Iterates over BGR frames uint8 [H, W, 3]; a context manager that releases their source."""

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """The frames."""

    def __enter__(self) -> Frames:
        """The frames themselves."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the source."""


def open_frames(source: str) -> Frames:
    """The frames of a camera or a video file.

    Args:
        source: A camera's number, a device such as `/dev/video0`, or the path of a video file.

    Raises:
        InputError: It is a URL, or a file that is missing or not a video.
        DeviceUnreachableError: There is no such camera, or it cannot be opened.
    """
    if source.isdecimal() and int(source) > _MOST:
        raise InputError(f"there is no camera {source}", "give its number, such as 0")
    if source.isdecimal():
        return LiveFrames(_opened(int(source)), f"camera {source}")
    if "://" in source:
        message = f"{source} is an address, and nothing is fetched from a network"
        raise InputError(message, "give a camera's number or the path of a video file")
    path = Path(source)
    if _is_device(path):
        return LiveFrames(_opened(source), f"camera {source}")
    if not path.is_file():
        message = f"there is no camera or video file {source}"
        raise InputError(message, "give a camera's number, such as 0, or the path of a video file")
    # A file may be a playlist of URLs; FFmpeg must not fetch what it names.
    capture = _open(str(path.resolve()))
    if not capture.isOpened():
        raise InputError(f"{source} cannot be read as a video", "give an MP4 or AVI file")
    return VideoFrames(capture)


def _is_device(path: Path) -> bool:
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _opened(source: int | str) -> Any:
    capture = _open(source)
    if capture.isOpened():
        return capture
    capture.release()
    message = f"no camera {source}; it is not there, in use, or not yours to open"
    hint = "connect it and close what else uses it; on Linux: ls -l /dev/video*, group video"
    raise DeviceUnreachableError(message, hint)


def _open(source: int | str) -> Any:
    # OpenCV would log each backend that it tries; the caller reports the failure once.
    # In OpenCV 4 these two functions are in the top-level module.
    home: Any = getattr(cv2.utils, "logging", cv2)
    level = home.getLogLevel()
    home.setLogLevel(0)
    try:
        return cv2.VideoCapture(source)
    finally:
        home.setLogLevel(level)


class VideoFrames:
    """Every frame of a video file in order. Owns the capture, and releases it on exit."""

    def __init__(self, capture: Any) -> None:
        self._capture = capture

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Frames until the file ends."""
        while True:
            succeeded, frame = self._capture.read()
            if not succeeded:
                return
            yield _as_bgr(frame)

    def __enter__(self) -> VideoFrames:
        """The frames themselves."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._capture.release()


class LiveFrames:
    """The newest frame of a camera each time, however long the prediction on the last one took.

    A thread reads continuously, since drivers queue frames and would return old ones. It owns
    the capture, and releases it on exit; `name` is for messages.
    """

    def __init__(self, capture: Any, name: str) -> None:
        self._capture, self._name = capture, name
        self._news = threading.Condition()
        self._newest: NDArray[np.uint8] | None = None
        self._ended = self._closing = False
        self._reader = threading.Thread(target=self._read, name="edgekd-camera", daemon=True)
        self._reader.start()

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Frames without end.

        Raises:
            DeviceUnreachableError: The camera gives no more frames.
        """
        while True:
            yield self._next()

    def __enter__(self) -> LiveFrames:
        """The frames themselves."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the camera."""
        self._closing = True
        self._reader.join(timeout=_PATIENCE)

    def _next(self) -> NDArray[np.uint8]:
        with self._news:
            self._news.wait_for(lambda: self._newest is not None or self._ended, _PATIENCE)
            frame, self._newest = self._newest, None
        if frame is None:
            message = f"{self._name} gives no more frames"
            raise DeviceUnreachableError(message, "check its cable, and what else uses it")
        return frame

    def _read(self) -> None:
        try:
            while not self._closing:
                succeeded, frame = self._capture.read()
                if not succeeded:
                    break
                with self._news:
                    self._newest = _as_bgr(frame)
                    self._news.notify()
        finally:  # in this thread, since no other may use the capture meanwhile
            self._capture.release()
            with self._news:
                self._ended = True
                self._news.notify()


def _as_bgr(frame: Any) -> NDArray[np.uint8]:
    """The frame with three channels; infrared and some industrial cameras have only one."""
    if frame.ndim == 2 or frame.shape[2] == 1:
        frame = cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)
    return np.asarray(frame, np.uint8)
