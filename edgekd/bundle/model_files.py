"""The files that an engine opens, on disk or in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgekd.errors import ArtefactError

__all__ = ["ModelFiles"]


@dataclass(frozen=True)
class ModelFiles:
    """A model file with the files beside it, such as the weights of OpenVINO.

    Files that came as bytes are never written to a disk: an app may have decrypted them.

    Attributes:
        name: Name of the main file: `model.tflite`, `model.xml`, `model.onnx`, `model.engine`.
        folder: Where the files are; None where they are in memory.
        contents: Bytes of each file by name, where they are in memory.
    """

    name: str
    folder: Path | None = None
    contents: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def on_disk(cls, path: Path) -> ModelFiles:
        """The model file at `path`, with the other files of its folder."""
        return cls(path.name, path.parent)

    @property
    def path(self) -> Path | None:
        """Where the main file is on disk; None where it is in memory."""
        return None if self.folder is None else self.folder / self.name

    def read(self, name: str | None = None) -> bytes:
        """Bytes of the main file, or of the one called `name` beside it.

        Raises:
            ArtefactError: There is no such file.
        """
        name = name or self.name
        try:
            return self.contents[name] if self.folder is None else (self.folder / name).read_bytes()
        except (KeyError, OSError) as error:
            raise ArtefactError(f"{name} is missing", "copy or build the bundle again") from error
