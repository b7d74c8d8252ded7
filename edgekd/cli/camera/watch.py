"""From the options of `edgekd predict --camera` to a running loop, and its clean end."""

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
from edgekd.cli.camera.loop import Judged, Loop
from edgekd.cli.camera.screen import Window
from edgekd.cli.console import say
from edgekd.cli.prediction_text import line_of
from edgekd.errors import InputError
from edgekd.files import make_folder

if TYPE_CHECKING:
    from edgekd.runtime import Classifier

__all__ = ["Watch", "size_of", "watch"]

_LARGEST = 8192


@dataclass(frozen=True)
class Watch:
    """What is to be watched, and how.

    Attributes:
        camera: A number, a device or a video file.
        headless: No window; a line for each frame on stdout.
        json: Lines are JSON, with a window too.
        save: Folder for captures, or without a window for every overlay.
        screen: Width and height of a screen that the window fills, in pixels.
        interval: Seconds from one frame to the next at least.
    """

    camera: str
    headless: bool = False
    json: bool = False
    save: Path | None = None
    screen: tuple[int, int] | None = None
    interval: float = 0.0


def watch(wanted: Watch, open_classifier: Callable[[], Classifier]) -> None:
    """Run the loop until the video ends, a key, Ctrl-C or a SIGTERM ends it.

    Raises:
        InputError: A video that cannot be read, or a folder that cannot be made.
        MissingDependencyError: A window is wanted and this OpenCV has none.
        DeviceUnreachableError: No such camera, it stopped, or there is no screen.
    """
    with contextlib.ExitStack() as closing:
        closing.enter_context(_ended_cleanly())
        screen = None
        if not wanted.headless:
            screen = Window(wanted.screen)
            closing.callback(screen.close)
        frames = closing.enter_context(open_frames(wanted.camera))
        classifier = closing.enter_context(open_classifier())
        if wanted.save is not None:
            make_folder(wanted.save)
        tell = _teller(wanted)
        Loop(classifier, screen, tell, wanted.save, wanted.screen, wanted.interval).run(frames)


def size_of(text: str) -> tuple[int, int]:
    """Width and height of `480x320`.

    Raises:
        InputError: It is no such thing, or not the size of a screen.
    """
    found = re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", text.strip().lower())
    size = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(160 <= side <= _LARGEST for side in size):
        raise InputError(f"{text!r} is no size of a screen", "give it as 480x320, 160 at least")
    return size


def _teller(wanted: Watch) -> Callable[[Judged], None]:
    if wanted.json:
        return _tell_json
    return _tell_text if wanted.headless else _tell_nothing


def _tell_json(judged: Judged) -> None:
    import msgspec

    print(msgspec.json.encode(judged.to_dict()).decode(), flush=True)


def _tell_text(judged: Judged) -> None:
    print(line_of(f"frame {judged.number}", judged.prediction), flush=True)


def _tell_nothing(_: Judged) -> None:
    return None


@contextlib.contextmanager
def _ended_cleanly() -> Iterator[None]:
    """Ctrl-C, a service manager's SIGTERM and a reader that went are ends, not errors."""
    try:
        with _sigterm_interrupts():
            yield
    except KeyboardInterrupt:
        say("stopped")
    except BrokenPipeError:  # Python flushes once more when it ends; let that go nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets only that one set handlers
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
