"""Ranges and means of activations on calibration images, recorded to replace the images.

A shipped student carries them, since images of patients do not ship: its int8 files can be built
again bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.errors import ArtefactError, MissingDependencyError
from edgekd.files import write_atomically

__all__ = ["Extremes", "RecordedRanges"]

Extremes = tuple[NDArray[Any], NDArray[Any]]
"""Least and greatest value, of a whole tensor or of each of its channels."""

_FORMAT = "edgekd-ranges-2"


@dataclass(frozen=True)
class RecordedRanges:
    """The ranges of one backend for one variant.

    Attributes:
        tensors: Extremes by the name that the backend's quantiser knows a tensor by.
        images: Number of images that they were measured on; some tools write it into their files.
        means: Mean input at each position of a layer's kernel [I, kernel…], by the backend's name
            of the layer.
    """

    tensors: Mapping[str, Extremes]
    images: int
    means: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def save(self, file: Path) -> None:
        """Write them as safetensors, in their order; the same ranges give the same bytes.

        Raises:
            MissingDependencyError: safetensors is not installed.
        """
        # safetensors sorts by type and name, and the order is kept: they are numbered.
        arrays = {
            f"{number:05d}.{side}": np.asarray(values, order="C")
            for number, extremes in enumerate(self.tensors.values())
            for side, values in zip(("least", "greatest"), extremes, strict=True)
        }
        for number, mean in enumerate(self.means.values()):
            arrays[f"{number:05d}.mean"] = np.asarray(mean, order="C")
        head = {
            "format": _FORMAT,
            "images": self.images,
            "tensors": list(self.tensors),
            "means": list(self.means),
        }
        # One key alone: the order of several would change from process to process.
        metadata = {"edgekd": msgspec.json.encode(head).decode()}
        write_atomically(file, _safetensors().save(arrays, metadata))

    @classmethod
    def load(cls, file: Path) -> RecordedRanges:
        """Read a file that `save` wrote.

        Raises:
            ArtefactError: It is missing or damaged.
            MissingDependencyError: safetensors is not installed.
        """
        try:
            content = file.read_bytes()
            arrays = _safetensors().load(content)
            length = int.from_bytes(content[:8], "little")
            header = msgspec.json.decode(content[8 : 8 + length])
            head = msgspec.json.decode(header["__metadata__"]["edgekd"])
            if head["format"] != _FORMAT:
                raise ValueError(f"they have the format {head['format']}")
            tensors = {
                name: (arrays[f"{number:05d}.least"], arrays[f"{number:05d}.greatest"])
                for number, name in enumerate(head["tensors"])
            }
            means = {
                name: arrays[f"{number:05d}.mean"] for number, name in enumerate(head["means"])
            }
            return cls(tensors, head["images"], means)
        except MissingDependencyError:
            raise
        except Exception as error:  # safetensors' errors are of a class of its own
            message = f"the ranges at {file} cannot be read: {error}"
            raise ArtefactError(message, "install or copy the student again") from error


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise MissingDependencyError("safetensors", "lower", "read recorded ranges") from error
    return safetensors.numpy
