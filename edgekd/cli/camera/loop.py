"""The loop: judge the newest frame, show it or say it, keep what is asked to be kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgekd.cli.camera.overlay import draw_overlay
from edgekd.cli.console import say
from edgekd.files import pretty_json, write_atomically

if TYPE_CHECKING:
    from edgekd.cli.camera.screen import Screen
    from edgekd.runtime import Classifier, Prediction

__all__ = ["Judged", "Loop", "Shown"]


@dataclass(frozen=True)
class Judged:
    """A frame and what was decided on it.

    Attributes:
        number: Of the frames that were judged, from 0.
        frame: BGR uint8 [H, W, 3].
        prediction: Its decision.
    """

    number: int
    frame: NDArray[np.uint8]
    prediction: Prediction

    def to_dict(self) -> dict[str, Any]:
        """Plain types, without the picture."""
        return {"frame": self.number, **self.prediction.to_dict()}


class Shown:
    """Which frame is on the screen: the newest, or the last one that is to be taken again.

    A photo that is no use stays, with what to do about it, until a good one comes or a key is
    pressed.
    """

    def __init__(self) -> None:
        self._frozen: Judged | None = None

    def update(self, newest: Judged) -> Judged:
        """The frame to show now that `newest` was judged; it is frozen where it is another."""
        if newest.prediction.decision != "retake":
            self._frozen = None
            return newest
        if self._frozen is None:
            self._frozen = newest
        return self._frozen

    def release(self) -> None:
        """A key was pressed."""
        self._frozen = None


@dataclass
class Loop:
    """What is done with each frame.

    Attributes:
        classifier: Judges.
        screen: Where it is shown; None for nowhere.
        tell: Is given each judged frame, to say it on stdout.
        save: Folder for captures, or without a screen for every frame's overlay.
        fit: Width and height of the screen in pixels; None leaves frames at their size.
        interval: Seconds from one frame to the next at least.
    """

    classifier: Classifier
    screen: Screen | None
    tell: Callable[[Judged], None]
    save: Path | None = None
    fit: tuple[int, int] | None = None
    interval: float = 0.0

    def run(self, frames: Iterable[NDArray[np.uint8]]) -> None:
        """Go on until the frames end or `q` or Esc is pressed.

        Raises:
            DeviceUnreachableError: The camera stopped.
        """
        shown = Shown()
        for number, frame in enumerate(frames):
            begun = time.monotonic()
            if not self._step(number, frame, shown):
                break
            time.sleep(max(0.0, begun + self.interval - time.monotonic()))

    def _step(self, number: int, frame: NDArray[np.uint8], shown: Shown) -> bool:
        """Judge a frame; False where that was the last one wanted."""
        rgb = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)
        judged = Judged(number, frame, self.classifier.predict(rgb))
        self.tell(judged)
        if self.screen is None:
            if self.save is not None:
                write_picture(self.save / f"{number:06d}.png", self.overlay(judged))
            return True
        on_screen = shown.update(judged)
        key = self.screen.show(self.overlay(on_screen, judged))
        if key == "capture":
            self._capture(on_screen)
        if key != "none":
            shown.release()
        return key != "quit"

    def overlay(self, judged: Judged, newest: Judged | None = None) -> NDArray[np.uint8]:
        """The picture for the screen; `newest` is what the camera sees where `judged` is older."""
        live = None if newest is None or newest is judged else newest.frame
        rule = self.classifier.manifest.capture
        return draw_overlay(judged.frame, judged.prediction, rule, screen=self.fit, live=live)

    def _capture(self, judged: Judged) -> None:
        """The frame without the overlay, and beside it what was decided."""
        if self.save is None:
            say("nothing is saved: start with --save FOLDER")
            return
        stem = f"{datetime.now():%Y%m%d-%H%M%S}-{judged.number:06d}"
        picture = self.save / f"{stem}.png"
        write_picture(picture, judged.frame)
        facts = {"image": picture.name, **judged.to_dict()}
        write_atomically(self.save / f"{stem}.json", pretty_json(facts))
        say(f"saved {picture}")


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a PNG, or leave what was there."""
    write_atomically(path, cv2.imencode(".png", picture)[1].tobytes())
