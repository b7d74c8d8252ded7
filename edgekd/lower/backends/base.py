"""What every lowering backend is: a deploy graph in, the files of one engine out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edgekd.errors import EdgekdError, InputError, MissingDependencyError
from edgekd.lower.precision import Variant

if TYPE_CHECKING:  # importing this package must not import torch
    from torch import nn

    from edgekd.bundle import EngineCheck
    from edgekd.lower.graph import DeployGraph

__all__ = [
    "Backend",
    "Calibration",
    "CheckedBackend",
    "Completion",
    "FinishingBackend",
    "UnconvertibleError",
    "check_request",
    "converting",
    "missing_tool",
    "reads_calibration",
    "versions_of",
]

Calibration = NDArray[np.uint8]
"""uint8 RGB [N, S, S, 3]: prepared images that stand for what the device will see."""

Completion = Literal["complete", "finish-on-device"]
"""Whether the file is all that the device needs, or the device builds its engine from it."""


class UnconvertibleError(InputError):
    """A network that an engine's converter does not take, whatever the precision."""


@runtime_checkable
class Backend(Protocol):
    """Lowers deploy graphs for one engine.

    Attributes:
        name: As `get_backend` knows it.
        precisions: What it can lower to, of `edgekd.lower.precision.LADDER`.
        model_file: Name of the main file in the bundle.
        host_session: The session backend that runs this file on the host.
        completion: See `Completion`.

    A backend may have an attribute `scanned`: precisions that make use of calibration images
    without needing them (see `reads_calibration`). One whose engine only the device can build is a
    `FinishingBackend`, and may be a `CheckedBackend`.
    """

    name: str
    precisions: tuple[str, ...]
    model_file: str
    host_session: str
    completion: Completion

    def lower(
        self,
        graph: DeployGraph,
        image_size: int,
        variant: Variant,
        calibration: Calibration | None,
        out: Path,
    ) -> dict[str, str]:
        """Write the file(s) of `graph` into the folder `out`.

        Args:
            graph: uint8 [1, S, S, 3] → float32 [1, K], in eval mode; it must not change
                between two calls, since what was made of it is kept for the next variant.
            image_size: S.
            variant: Its precision is one of `precisions`.
            calibration: Needed for `int8` and `int8-mixed`. Where `scanned` names `fp16`, its
                ranges are measured on the images, if there are any. Else not used.
            out: An existing folder.

        Returns:
            Versions of the tools that took part, by distribution.

        Raises:
            InputError: The precision is not one of `precisions`, or needs calibration images
                that are missing or of the wrong shape.
            UnconvertibleError: The network cannot be converted to any precision; then none of the
                others is tried.
            MissingDependencyError: A tool is not installed.
        """

    def concerns(self, network: nn.Module) -> tuple[str, ...]:
        """What is known to go badly for this network on this engine, before anything is lowered.

        One sentence each, for people; empty where nothing is known.
        """


@runtime_checkable
class CheckedBackend(Protocol):
    """A backend that can tell on the host whether the device will take its file."""

    def check(self, file: Path, log: Path) -> EngineCheck:
        """Check a file that `lower` wrote; what is wrong with it is an answer, not an error.

        Args:
            file: The main file.
            log: File for what the checking library says.
        """

    def checkers(self) -> dict[str, str]:
        """Versions of what checks, by distribution; empty where nothing can."""


@runtime_checkable
class FinishingBackend(Protocol):
    """A backend whose bundles are finished on the device, by `edgekd build --on-device`."""

    def finish(
        self, bundle: Path, say: Callable[[str], None], *, evidence: Path | None = None
    ) -> Path:
        """Build the engine of a bundle on this device and put it in, whole or not at all.

        Args:
            bundle: The bundle's folder.
            say: Told what is done now.
            evidence: What the engine is judged by; None looks beside the bundle.

        Returns:
            The manifest's path.

        Raises:
            GateFailedError: The engine's answers are not the student's.
            EdgekdError: It cannot be built here.
        """


def reads_calibration(backend: Backend, variant: Variant) -> bool:
    """Whether the file of a variant depends on the calibration images."""
    scanned: tuple[str, ...] = getattr(backend, "scanned", ())
    return variant.calibrated or variant.precision in scanned


def check_request(
    backend: Backend, image_size: int, variant: Variant, calibration: Calibration | None
) -> None:
    """Raise InputError where `variant` cannot be lowered to with what was given."""
    if variant.precision not in backend.precisions:
        known = ", ".join(backend.precisions)
        message = f"{backend.name} does not lower to {variant.precision!r}"
        raise InputError(message, f"one of: {known}")
    if not variant.calibrated:
        return
    if calibration is None or len(calibration) == 0:
        message = f"{backend.name} needs calibration images to lower to {variant.precision}"
        raise InputError(message, "give images that stand for those of the device, 100 or more")
    wanted = (image_size, image_size, 3)
    if calibration.shape[1:] != wanted or calibration.dtype != np.uint8:
        found = f"{calibration.dtype} {list(calibration.shape)}"
        message = f"calibration images are {found}, not uint8 [N, {image_size}, {image_size}, 3]"
        raise InputError(message, "prepare them with edgekd.runtime.preprocess")


_OPERATORS = (
    re.compile(r"torch\.ops\.([\w.]+)"),
    re.compile(r"OpOverload\(op='([\w.]+)'"),
    re.compile(r"operation '([\w.]+)'"),
)
"""How the converters name the operator that they lack: the first group."""


@contextmanager
def converting(engine: str, purpose: str) -> Iterator[None]:
    """Around the conversion that every precision starts from: what fails there is the network.

    Args:
        engine: Whose converter it is, for the message.
        purpose: Of the tools, see `missing_tool`.

    Raises:
        UnconvertibleError: The converter failed; with its own words and the operator.
        MissingDependencyError: A tool is not installed.
    """
    try:
        yield
    except (EdgekdError, OSError, MemoryError):
        raise
    except ImportError as error:
        raise missing_tool(error, purpose) from error
    except Exception as error:
        message = f"{engine} cannot convert the network: {_cause(error)}"
        raise UnconvertibleError(message, "choose another student or another target") from error


def _cause(error: BaseException) -> str:
    """The first line of the innermost cause, with the operator where it is named."""
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    lines = [line.strip() for line in str(chain[-1]).splitlines() if line.strip()]
    said = lines[0] if lines else type(chain[-1]).__name__
    told = "\n".join(str(one) for one in reversed(chain))
    found = next((match[1] for pattern in _OPERATORS if (match := pattern.search(told))), None)
    return said if found is None or found in said else f"{said} (operator {found})"


def missing_tool(error: ImportError, purpose: str) -> MissingDependencyError:
    """The error for a tool of the extra `lower` that could not be imported."""
    package = (error.name or "edgekd[lower]").split(".")[0].replace("_", "-")
    return MissingDependencyError(package, "lower", purpose)


def versions_of(*distributions: str) -> dict[str, str]:
    """Versions of the installed ones of the distributions."""
    found = {}
    for name in distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
