"""The window on a screen, and the keys pressed in it."""

from __future__ import annotations

import os
import sys
from typing import Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edgekd.errors import DeviceUnreachableError, MissingDependencyError

__all__ = ["Key", "Screen", "Window", "key_of"]

Key = Literal["none", "quit", "capture", "other"]
_TITLE = "edgekd"
_ESCAPE = 27


class Screen(Protocol):
    """Shows pictures and returns the keys that are pressed."""

    def show(self, picture: NDArray[np.uint8]) -> Key:
        """Show a BGR picture uint8 [H, W, 3]; returns the key pressed since the last one."""

    def close(self) -> None:
        """Close the window."""


class Window:
    """An OpenCV window. With a `size` it fills a screen of that width and height.

    Raises:
        MissingDependencyError: This OpenCV has no windows.
        DeviceUnreachableError: There is no screen.
    """

    def __init__(self, size: tuple[int, int] | None = None) -> None:
        _check_screen()
        try:
            cv2.namedWindow(_TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error:
            raise _no_windows() from None
        self._sized = size is not None
        if size is not None:
            # Also sized here, since a hand-held device may have no window manager.
            cv2.resizeWindow(_TITLE, *size)
            cv2.moveWindow(_TITLE, 0, 0)
            cv2.setWindowProperty(_TITLE, cv2.WND_PROP_FULLSCREEN, cv2.WINDOW_FULLSCREEN)

    def show(self, picture: NDArray[np.uint8]) -> Key:
        """See `Screen`; a window that was closed by hand counts as `quit`."""
        if not self._sized:
            cv2.resizeWindow(_TITLE, picture.shape[1], picture.shape[0])
            self._sized = True
        cv2.imshow(_TITLE, picture)
        key = key_of(cv2.waitKey(1))
        return key if cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) >= 1 else "quit"

    def close(self) -> None:
        """Close the window."""
        cv2.destroyAllWindows()
        cv2.waitKey(1)  # the toolkit closes it in its next event loop turn


def key_of(code: int) -> Key:
    """The meaning of a key code of `cv2.waitKey`."""
    if code < 0:
        return "none"
    letter = code & 0xFF
    if letter in (_ESCAPE, ord("q"), ord("Q")):
        return "quit"
    return "capture" if letter == ord(" ") else "other"


def _no_windows() -> MissingDependencyError:
    missing = MissingDependencyError("opencv-python", "", "show a window")
    missing.hint = (
        "pip uninstall opencv-python-headless && pip install opencv-python; or use --headless"
    )
    return missing


def _has_windows() -> bool:
    """Whether OpenCV was built with a GUI toolkit."""
    lines = cv2.getBuildInformation().splitlines()
    return not any(line.split() == ["GUI:", "NONE"] for line in lines)


def _check_screen() -> None:
    if not _has_windows():
        raise _no_windows()
    # Qt aborts the process where there is no screen, so the environment is checked instead.
    known = any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")))
    if sys.platform.startswith("linux") and not known:
        message = "there is no screen to show a window on (DISPLAY is not set)"
        raise DeviceUnreachableError(message, "run it in a graphical session, or use --headless")
