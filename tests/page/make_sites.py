"""Bundles, keys and photos for the tests of the page in Chromium: `make_sites.py OUT`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tiny_bundles import ANSWER, REFER, write_tiny_bundle

from edgekd.bundle import CaptureRule, Limit, generate_key, sign_bundle, zip_bundle

SIDE = 320


def photo(colour: tuple[int, int, int], *, blurred: bool = False) -> NDArray[np.uint8]:
    """A picture of that mean colour, RGB, with texture of blocks that survive the small input."""
    rng = np.random.default_rng(1)
    blocks = rng.integers(-14, 15, (SIDE // 20, SIDE // 20, 1))
    texture = np.kron(blocks, np.ones((20, 20, 1), np.int64))
    image = (np.array(colour) + texture).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 40) if blurred else image, np.uint8)


def spotted() -> NDArray[np.uint8]:
    """A reddish picture, just red enough for an answer, with a redder spot in its middle."""
    image = photo((176, 66, 112))
    inside = slice(SIDE * 11 // 40, SIDE * 29 // 40)
    image[inside, inside] = photo((240, 40, 80))[inside, inside]
    return image


def make_sites(out: Path) -> None:
    """Write the bundle signed by one key, damaged twins of it, another key, and photos."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    limits = {"brightness": Limit(low=0.2, high=0.95), "sharpness": Limit(low=1.5)}
    folder = write_tiny_bundle(out / "bundle", capture=CaptureRule(limits=limits))
    for name in ("key", "other"):
        generate_key(out / f"{name}.pem", out / f"{name}.pub.pem")
    sign_bundle(folder, out / "key.pem")
    zip_bundle(folder, out / "good.edgekd")
    good = (out / "good.edgekd").read_bytes()
    (out / "cut.edgekd").write_bytes(good[: len(good) // 2])
    place = good.index((folder / "model.onnx").read_bytes()) + 40
    (out / "changed.edgekd").write_bytes(good[:place] + b"\xff" + good[place + 1 :])
    wrong = write_tiny_bundle(out / "wrong", wrong_by=1.0)
    zip_bundle(wrong, out / "wrong.edgekd")
    shutil.rmtree(wrong)
    photos = {
        "answer.jpg": photo(ANSWER),
        "refer.jpg": photo(REFER),
        "spot.jpg": spotted(),
        "dark.png": photo((12, 12, 12)),
        "blurred.jpg": photo(ANSWER, blurred=True),
    }
    for name, image in photos.items():
        cv2.imwrite(str(out / name), image[..., ::-1])
    (out / "text.jpg").write_bytes(b"a picture of a mole")
    (out / "truncated.jpg").write_bytes((out / "answer.jpg").read_bytes()[:-400])


if __name__ == "__main__":
    make_sites(Path(sys.argv[1]))
