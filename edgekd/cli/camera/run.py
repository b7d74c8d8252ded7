"""The camera loop of `edgekd predict --camera`: set up from its options, ended cleanly."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekd.cli.camera.frames import open_frames
from edgekd.cli.camera.loop import CameraLoop, FramePrediction
from edgekd.cli.camera.screen import Window
from edgekd.cli.console import say
from edgekd.cli.prediction_text import line_of
from edgekd.errors import InputError
from edgekd.files import make_folder

if TYPE_CHECKING:
    from edgekd.runtime import Classifier

__all__ = ["CameraOptions", "run_camera", "screen_size"]

_LARGEST = 8192
"""Largest side of a screen in pixels."""


@dataclass(frozen=True)
class CameraOptions:
    """Options of the camera loop.

    Attributes:
        camera: The number of a camera, a device or a video file.
        headless: Open no window; print a line for each frame.
        json: Print lines as JSON, with a window too.
        save: Folder for captures; without a window, for the overlay of every frame.
        screen: Width and height in pixels of a screen that the window fills.
        interval: Least time from one frame to the next, in seconds.
    """

    camera: str
    headless: bool = False
    json: bool = False
    save: Path | None = None
    screen: tuple[int, int] | None = None
    interval: float = 0.0


def run_camera(options: CameraOptions, open_classifier: Callable[[], Classifier]) -> None:
    """Run the loop until the video ends, or a key, Ctrl-C or SIGTERM ends it.

    Raises:
        InputError: The video cannot be read, or the folder cannot be made.
        MissingDependencyError: This OpenCV has no windows, and `headless` is not set.
        DeviceUnreachableError: There is no such camera, it stopped, or there is no screen.
    """
    with contextlib.ExitStack() as closing:
        closing.enter_context(_ended_cleanly())
        screen = None
        if not options.headless:
            screen = Window(options.screen)
            closing.callback(screen.close)
        frames = closing.enter_context(open_frames(options.camera))
        classifier = closing.enter_context(open_classifier())
        if options.save is not None:
            make_folder(options.save)
        report = _reporter(options)
        loop = CameraLoop(
            classifier, screen, report, options.save, options.screen, options.interval
        )
        loop.run(frames)


def screen_size(text: str) -> tuple[int, int]:
    """Width and height in pixels, from a text such as `480x320`.

    Raises:
        InputError: The text is not a size, or not a possible size of a screen.
    """
    match = re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", text.strip().lower())
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(160 <= side <= _LARGEST for side in size):
        raise InputError(f"{text!r} is no size of a screen", "give it as 480x320, 160 at least")
    return size


def _reporter(options: CameraOptions) -> Callable[[FramePrediction], None]:
    if options.json:
        return _print_json
    return _print_text if options.headless else lambda _: None


def _print_json(frame: FramePrediction) -> None:
    import msgspec

    print(msgspec.json.encode(frame.to_dict()).decode(), flush=True)


def _print_text(frame: FramePrediction) -> None:
    print(line_of(f"frame {frame.number}", frame.prediction), flush=True)


@contextlib.contextmanager
def _ended_cleanly() -> Iterator[None]:
    """Treat Ctrl-C, a service manager's SIGTERM and a closed pipe as an end, not as an error."""
    try:
        with _sigterm_interrupts():
            yield
    except KeyboardInterrupt:
        say("stopped")
    except BrokenPipeError:  # Python flushes once more when it ends; discard that
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
