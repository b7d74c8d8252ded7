"""Pictures of the page for docs/, with painted photos: `take_pictures.py BUNDLE OUT`.

The first painted photos that the bundle answers and refers are taken, and one that is blurred.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from chromium import Chromium
from numpy.typing import NDArray

from edgekd.data.synthetic import CLASSES, paint
from edgekd.page import PageServer, write_page
from edgekd.runtime import Classifier

SIDE, SEEDS = 448, 200
SCREENS = {"phone": (390, 844), "desktop": (1200, 900)}


def painted() -> Iterator[NDArray[np.uint8]]:
    """Painted photos of all classes in turn, RGB."""
    for seed, label in itertools.product(range(SEEDS), CLASSES):
        yield paint(label, seed, SIDE)


def write_photos(bundle: Path, out: Path) -> list[Path]:
    """A photo for each decision, in the order in which a person might take them."""
    photos: dict[str, NDArray[np.uint8]] = {}
    with Classifier.open(bundle) as classifier, tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "photo.jpg")
        for photo in painted():
            cv2.imwrite(str(file), photo[..., ::-1])
            photos.setdefault(classifier.predict(file).decision, photo)
            if {"answer", "refer"} <= photos.keys():
                break
    photos["retake"] = np.asarray(cv2.GaussianBlur(photos["answer"], (0, 0), 20), np.uint8)
    names = {"answer": "painted-answer", "retake": "painted-blurred", "refer": "painted-refer"}
    for decision, name in names.items():
        cv2.imwrite(str(out / f"{name}.jpg"), photos[decision][..., ::-1])
    return [out / f"{name}.jpg" for name in names.values()]


def take_pictures(bundle: Path, out: Path) -> None:
    """Write `page-phone.png` with an answer, and `page-desktop.png` with all three photos."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        photos = write_photos(bundle, place)
        write_page(bundle, place / "page")
        with PageServer(place / "page") as server, Chromium() as browser:
            for name, (width, height) in SCREENS.items():
                shown = photos if name == "desktop" else photos[:1]
                browser.load(server.url, width=width, height=height)
                browser.wait_until("performance.getEntriesByName('ready').length")
                browser.choose_files("#file", shown)
                browser.wait_until(f"document.querySelectorAll('article').length === {len(shown)}")
                browser.evaluate("document.activeElement?.blur(), scrollTo(0, 0)")
                browser.screenshot(out / f"page-{name}.png", whole=False)


if __name__ == "__main__":
    take_pictures(Path(sys.argv[1]), Path(sys.argv[2]))
