"""What all sessions share: the contract on the file, the check of the image, closing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import metadata
from pathlib import Path
from typing import ClassVar

import numpy as np

from edgekd.errors import ArtefactError, InputError
from edgekd.runtime.sessions.base import Facts, Image, Logits

__all__ = ["EngineSession", "check_contract", "damaged", "require_file", "version_of"]

_COPY_AGAIN = "copy or build the bundle again"


class EngineSession(ABC):
    """A session apart from its engine.

    Args:
        model: The file that was opened.
        input_shape: As `check_contract` returned it.
        classes: Likewise.
        facts: What the engine is and what was obtained from it.
    """

    backend: ClassVar[str]

    def __init__(
        self, model: Path, input_shape: tuple[int, ...], classes: int, facts: Facts
    ) -> None:
        self._model = model
        self._input_shape = input_shape
        self._classes = classes
        self._facts = facts
        self._open = True

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input, [1, S, S, 3]."""
        return self._input_shape

    @property
    def classes(self) -> int:
        """K, the number of logits."""
        return self._classes

    @property
    def facts(self) -> Facts:
        """What the engine is and what was obtained from it, not what was asked for."""
        return dict(self._facts)

    def run(self, image: Image) -> Logits:
        """Logits [1, K] of one image [1, S, S, 3], owned by the caller.

        Raises:
            InputError: The image has another shape or is not uint8.
            RuntimeError: The session is closed.
        """
        if not self._open:
            raise RuntimeError(f"the session of {self._model.name} is closed")
        if image.shape != self._input_shape or image.dtype != np.uint8:
            wanted = f"uint8 {list(self._input_shape)}"
            message = f"{self._model.name} takes {wanted}, not {image.dtype} {list(image.shape)}"
            raise InputError(message, "prepare the image with edgekd.runtime.preprocess")
        return self._infer(np.ascontiguousarray(image))

    def close(self) -> None:
        """Give back what the engine holds; to close again does no harm."""
        if self._open:
            self._open = False
            self._release()

    @abstractmethod
    def _infer(self, image: Image) -> Logits:
        """Logits of an image that was checked, C-contiguous."""

    @abstractmethod
    def _release(self) -> None:
        """Let go of the engine's objects; called once."""


def check_contract(
    model: Path,
    taken: tuple[tuple[int, ...], str],
    given: tuple[tuple[int, ...], str],
) -> tuple[tuple[int, ...], int]:
    """Input shape and number of classes of a file that keeps the contract.

    Args:
        model: The file, for the message.
        taken: Shape and numpy dtype name of its input.
        given: Shape and numpy dtype name of its output.

    Raises:
        ArtefactError: It is not uint8 [1, S, S, 3] to float32 [1, K].
    """
    (shape, dtype), (out_shape, out_dtype) = taken, given
    image = len(shape) == 4 and shape[0] == 1 and shape[1] == shape[2] > 0 and shape[3] == 3
    logits = len(out_shape) == 2 and out_shape[0] == 1 and out_shape[1] > 0
    if image and logits and (dtype, out_dtype) == ("uint8", "float32"):
        return shape, out_shape[1]
    found = f"{dtype} {list(shape)} to {out_dtype} {list(out_shape)}"
    message = f"{model.name} maps {found}, not uint8 [1, S, S, 3] to float32 [1, K]"
    raise ArtefactError(message, "build the file with `edgekd build`")


def require_file(model: Path) -> None:
    """Raise ArtefactError where there is no such file."""
    if not model.is_file():
        raise ArtefactError(f"{model} is missing", _COPY_AGAIN)


def damaged(model: Path, engine: str, error: BaseException | None = None) -> ArtefactError:
    """The error for a file that `engine` cannot parse."""
    lines = [line for line in str(error or "").splitlines() if line.strip()]
    why = f": {lines[-1].strip()}" if lines else ""
    return ArtefactError(f"{engine} cannot read {model.name}{why}", _COPY_AGAIN)


def version_of(*distributions: str) -> str:
    """`name version` of the first of the distributions that is installed, else `unknown`."""
    for name in distributions:
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return "unknown"
