"""What is timed: a bundle's model file, and the same pixels in the forms that each tool reads."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgekd.bundle import SELFTEST, Bundle
from edgekd.errors import InputError
from edgekd.runtime.selftest import Vectors

__all__ = ["Subject"]

_SUFFIXES = {"tflite": ".tflite", "openvino": ".xml", "onnx": ".onnx"}


@dataclass(frozen=True)
class Subject:
    """A bundle with its own self-test images: real ones, of the student's size.

    Attributes:
        folder: The bundle.
        model: The file that the engine opens.
        backend: Its engine.
        name: Name in the tables.
        images: The pixels as PNG files of S×S, which preprocessing leaves as they are.
        arrays: Folder with the pixels as NumPy files, uint8 [1, S, S, 3] each.
        facts: Facts for the result.
    """

    folder: Path
    model: Path
    backend: str
    name: str
    images: list[Path]
    arrays: Path
    facts: dict[str, Any]

    @classmethod
    def of(cls, folder: Path, home: Path) -> Subject:
        """Read a bundle's folder and write its pixels below `home`.

        Raises:
            InputError: It is a `.edgekd` file (other tools need the model on the disk), has no
                self-test images, or no tool is known for its engine.
        """
        if not folder.is_dir():
            raise InputError(f"{folder} is no folder", "give the folder that `edgekd build` wrote")
        with Bundle.open(folder) as bundle:
            manifest = bundle.manifest
            if manifest.lowering.backend not in _SUFFIXES or SELFTEST not in manifest.files:
                message = f"{folder.name} cannot be compared: {manifest.lowering.backend}"
                raise InputError(message, f"give bundles of {', '.join(_SUFFIXES)}")
        with (folder / SELFTEST).open("rb") as stream:
            pixels = Vectors.read(stream).images
        model = folder.resolve() / manifest.model_file
        backend, precision = manifest.lowering.backend, manifest.lowering.precision
        size = manifest.model.image_size
        home = home / folder.name
        images, arrays = _written(pixels, home)
        return cls(
            folder=folder.resolve(),
            model=model,
            backend=backend,
            name=f"{manifest.model.name} {size} px, {backend} {precision}",
            images=images,
            arrays=arrays,
            facts={
                "model": manifest.model.name,
                "image_size": size,
                "backend": backend,
                "precision": precision,
                "file": model.name,
                "bytes": sum(one.stat().st_size for one in _parts(model)),
                "sha256": [hashlib.sha256(one.read_bytes()).hexdigest() for one in _parts(model)],
                "images": len(images),
            },
        )


def _parts(model: Path) -> list[Path]:
    """The file, and OpenVINO's weights beside it."""
    return [model, model.with_suffix(".bin")] if model.suffix == ".xml" else [model]


def _written(pixels: NDArray[np.uint8], home: Path) -> tuple[list[Path], Path]:
    images, arrays = home / "images", home / "arrays"
    for folder in (images, arrays):
        folder.mkdir(parents=True)
    paths = []
    for index, image in enumerate(pixels):
        paths.append(images / f"{index:02d}.png")
        cv2.imwrite(str(paths[-1]), image[..., ::-1])  # OpenCV writes BGR
        np.save(arrays / f"{index:02d}.npy", image[None])
    return paths, arrays
