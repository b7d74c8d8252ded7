"""Common parts of all sessions: checks of the file and the image, and closing."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgekd.bundle.model_files import ModelFiles
from edgekd.errors import ArtefactError, DeviceUnreachableError, EdgekdError, InputError
from edgekd.runtime.sessions.base import Facts, Image, Output
from edgekd.runtime.sessions.processes import Owner

__all__ = [
    "Contract",
    "EngineSession",
    "Shortfall",
    "check_contract",
    "damaged_model",
    "last_line",
    "require_file",
    "version_of",
]

_COPY_AGAIN = "copy or build the bundle again"


Contract = tuple[tuple[int, ...], tuple[int, ...]]
"""Shapes of input and output: uint8 [1, S, S, 3] and float32 [1, …]."""


@dataclass(frozen=True)
class Shortfall:
    """Something that was requested and not obtained.

    Attributes:
        problem: What is missing, as a sentence without its full stop.
        instead: What happens instead, as a sentence without its full stop.
        hint: What to do about it.
    """

    problem: str
    instead: str
    hint: str

    def __str__(self) -> str:
        """The warning, one sentence."""
        return f"{self.problem}; {self.instead}"


class EngineSession(ABC):
    """Base of all sessions: everything that does not depend on the engine.

    Args:
        model: The file that was opened.
        contract: Shapes of input and output, from `check_contract`.
        facts: The engine and what was obtained from it.
        shortfalls: What was requested and not obtained.
    """

    backend: ClassVar[str]

    def __init__(
        self,
        model: ModelFiles,
        contract: Contract,
        facts: Facts,
        shortfalls: Sequence[Shortfall] = (),
    ) -> None:
        self._name = model.name
        self._input_shape, self._output_shape = contract
        self._facts = facts
        self._shortfalls = tuple(shortfalls)
        self._open = True
        self._owner = Owner(self)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input, [1, S, S, 3]."""
        return self._input_shape

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the output, the batch of one first: [1, K] of a classifier."""
        return self._output_shape

    @property
    def facts(self) -> Facts:
        """The engine and what was obtained from it, which may be less than was requested."""
        return dict(self._facts)

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each option that was not obtained or that costs time; may be empty."""
        return tuple(map(str, self._shortfalls))

    def require_all(self) -> None:
        """Close the session and raise if something requested was not obtained.

        Raises:
            DeviceUnreachableError: There is a warning.
        """
        if self._shortfalls:
            self.close()
            raise DeviceUnreachableError(self._shortfalls[0].problem, self._shortfalls[0].hint)

    def run(self, image: Image) -> Output:
        """Output [1, …] for one image [1, S, S, 3], owned by the caller.

        Raises:
            InputError: The image has another shape or is not uint8.
            ArtefactError: The engine fails to run the file.
            ForkedError: This process was forked from the one that opened the file.
            RuntimeError: The session is closed.
        """
        self._owner.require()
        if not self._open:
            raise RuntimeError(f"the session of {self._name} is closed")
        if image.shape != self._input_shape or image.dtype != np.uint8:
            required = f"uint8 {list(self._input_shape)}"
            message = f"{self._name} takes {required}, not {image.dtype} {list(image.shape)}"
            raise InputError(message, "prepare the image with edgekd.runtime.preprocess")
        try:
            return self._infer(np.ascontiguousarray(image))
        except (EdgekdError, MemoryError):
            raise
        except Exception as error:  # the engines' errors have no common base class
            message = f"the engine failed on {self._name}{_why(error)}"
            raise ArtefactError(message, "check the bundle with `edgekd verify`") from error

    def close(self) -> None:
        """Release the engine; does nothing if called again, or in a forked process."""
        was_open, self._open = self._open, False
        if was_open and self._owner.is_here:
            self._release()

    @abstractmethod
    def _infer(self, image: Image) -> Output:
        """Output for an image that was checked and is C-contiguous."""

    @abstractmethod
    def _release(self) -> None:
        """Release the engine's objects; called once."""


def check_contract(
    model: ModelFiles,
    inputs: tuple[tuple[int, ...], str],
    outputs: tuple[tuple[int, ...], str],
) -> Contract:
    """Check the input and output of a file, and return their shapes.

    The required output depends on the task; see `edgekd.runtime.task.DeviceTask.output_shape`.

    Args:
        model: The file, for the message.
        inputs: Shape and NumPy dtype name of its input.
        outputs: Shape and NumPy dtype name of its output.

    Raises:
        ArtefactError: The file does not map uint8 [1, S, S, 3] to float32 [1, …] of fixed shape.
    """
    (shape, dtype), (out_shape, out_dtype) = inputs, outputs
    image = len(shape) == 4 and shape[0] == 1 and shape[1] == shape[2] > 0 and shape[3] == 3
    output = len(out_shape) > 1 and out_shape[0] == 1 and min(out_shape) > 0
    if image and output and (dtype, out_dtype) == ("uint8", "float32"):
        return shape, out_shape
    mapping = f"{dtype} {list(shape)} to {out_dtype} {list(out_shape)}"
    message = f"{model.name} maps {mapping}, not uint8 [1, S, S, 3] to float32 [1, …]"
    raise ArtefactError(message, "build the file with `edgekd build`")


def require_file(model: ModelFiles, name: str | None = None) -> None:
    """Raise ArtefactError where the main file, or the one called `name` beside it, is missing."""
    name = name or model.name
    if model.folder is None:
        exists, label = name in model.contents, name
    else:
        exists, label = (model.folder / name).is_file(), str(model.folder / name)
    if not exists:
        raise ArtefactError(f"{label} is missing", _COPY_AGAIN)


def damaged_model(
    model: ModelFiles, engine: str, error: BaseException | None = None
) -> ArtefactError:
    """The error for a file that `engine` cannot parse."""
    return ArtefactError(f"{engine} cannot read {model.name}{_why(error)}", _COPY_AGAIN)


def version_of(*distributions: str) -> str:
    """`name version` of the first distribution that is installed, else `unknown`.

    Imported packages are checked first, since searching the installed ones takes 6 ms.
    """
    for name in distributions:
        module = sys.modules.get(name.replace("-", "_"))
        version = getattr(module, "__version__", None)
        if isinstance(version, str):
            return f"{name} {version.partition('-')[0]}"  # OpenVINO appends its revision
    return _installed(distributions)


def _installed(distributions: Sequence[str]) -> str:
    from importlib import metadata

    for name in distributions:
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return "unknown"


def last_line(error: BaseException | None) -> str:
    """The last line of an engine's message, which is the most specific; empty without one."""
    lines = [line.strip() for line in str(error or "").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _why(error: BaseException | None) -> str:
    line = last_line(error)
    return f": {line}" if line else ""
