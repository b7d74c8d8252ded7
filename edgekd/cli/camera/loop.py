"""The camera loop: predict on the newest frame, show or report it, save captures."""

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

__all__ = ["CameraLoop", "DisplayedFrame", "FramePrediction"]


@dataclass(frozen=True)
class FramePrediction:
    """A frame with its prediction.

    Attributes:
        number: Index of the frame among those that were predicted on, from 0.
        frame: BGR uint8 [H, W, 3].
        prediction: The prediction for this frame.
    """

    number: int
    frame: NDArray[np.uint8]
    prediction: Prediction

    def to_dict(self) -> dict[str, Any]:
        """The prediction in plain types for JSON, without the picture."""
        return {"frame": self.number, **self.prediction.to_dict()}


class DisplayedFrame:
    """The frame on the screen: the newest, or one that has to be taken again.

    A frame that has to be taken again stays, with its reasons, until a better one comes or a key is
    pressed.
    """

    def __init__(self) -> None:
        self._frozen: FramePrediction | None = None

    def update(self, newest: FramePrediction) -> FramePrediction:
        """The frame to show: the newest, or a frozen earlier one that has to be taken again."""
        if newest.prediction.decision != "retake":
            self._frozen = None
            return newest
        if self._frozen is None:
            self._frozen = newest
        return self._frozen

    def release(self) -> None:
        """Show the newest frame again."""
        self._frozen = None


@dataclass
class CameraLoop:
    """Predicts on frame after frame.

    Attributes:
        classifier: Makes the predictions.
        screen: Shows the frames; None for no window.
        report: Called with each frame, to print it.
        save: Folder for captures; without a screen, for the overlay of every frame.
        fit: Width and height of the screen in pixels; None leaves frames at their size.
        interval: Least time from one frame to the next, in seconds.
    """

    classifier: Classifier
    screen: Screen | None
    report: Callable[[FramePrediction], None]
    save: Path | None = None
    fit: tuple[int, int] | None = None
    interval: float = 0.0

    def run(self, frames: Iterable[NDArray[np.uint8]]) -> None:
        """Predict until the frames end, or `q` or Esc is pressed.

        Raises:
            DeviceUnreachableError: The camera stopped.
        """
        shown = DisplayedFrame()
        for number, pixels in enumerate(frames):
            begun = time.monotonic()
            if not self._step(number, pixels, shown):
                break
            time.sleep(max(0.0, begun + self.interval - time.monotonic()))

    def _step(self, number: int, pixels: NDArray[np.uint8], shown: DisplayedFrame) -> bool:
        """Predict on a frame; False where a key ended the loop."""
        rgb = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
        frame = FramePrediction(number, pixels, self.classifier.predict(rgb))
        self.report(frame)
        if self.screen is None:
            if self.save is not None:
                write_picture(self.save / f"{number:06d}.png", self.overlay(frame))
            return True
        on_screen = shown.update(frame)
        key = self.screen.show(self.overlay(on_screen, frame))
        if key == "capture":
            self._capture(on_screen)
        if key != "none":
            shown.release()
        return key != "quit"

    def overlay(
        self, frame: FramePrediction, newest: FramePrediction | None = None
    ) -> NDArray[np.uint8]:
        """The picture for the screen; `newest` is the live frame where `frame` is frozen."""
        live = None if newest is None or newest is frame else newest.frame
        rule = self.classifier.manifest.capture
        return draw_overlay(frame.frame, frame.prediction, rule, screen=self.fit, live=live)

    def _capture(self, frame: FramePrediction) -> None:
        """Save the frame without its overlay, and its prediction as JSON."""
        if self.save is None:
            say("nothing is saved: start with --save FOLDER")
            return
        stem = f"{datetime.now():%Y%m%d-%H%M%S}-{frame.number:06d}"
        picture = self.save / f"{stem}.png"
        write_picture(picture, frame.frame)
        facts = {"image": picture.name, **frame.to_dict()}
        write_atomically(self.save / f"{stem}.json", pretty_json(facts))
        say(f"saved {picture}")


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a PNG atomically."""
    write_atomically(path, cv2.imencode(".png", picture)[1].tobytes())
