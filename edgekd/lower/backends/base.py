"""The interface of lowering backends: a deploy graph in, the files of one engine out."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edgekd.errors import ArtefactError, EdgekdError, InputError, MissingDependencyError
from edgekd.extensions.backends import BackendDescriptor, Completion
from edgekd.lower.precision import Variant

if TYPE_CHECKING:  # importing this package must not import torch
    from torch import nn

    from edgekd.bundle import EngineCheck, ProgramRecord
    from edgekd.lower.graph import DeployGraph
    from edgekd.lower.int8.recorded_ranges import RecordedRanges

__all__ = [
    "Backend",
    "Calibration",
    "CheckedBackend",
    "Completion",
    "FinishingBackend",
    "ProgramBackend",
    "RangedBackend",
    "UnconvertibleError",
    "check_precision",
    "check_request",
    "check_via",
    "converting",
    "missing_tool",
    "quantising_by_ranges",
    "reads_calibration",
    "versions_of",
]

Calibration = NDArray[np.uint8]
"""uint8 RGB [N, S, S, 3]: prepared images that stand for what the device will see."""


class UnconvertibleError(InputError):
    """A network that an engine's converter does not take, whatever the precision."""


class Backend(ABC):
    """Lowers deploy graphs for one engine.

    One whose engine only the device can build is also a `FinishingBackend`, and may be a
    `CheckedBackend` and a `ProgramBackend`.

    Args:
        descriptor: Descriptor of this backend.

    Attributes:
        precisions: Precisions of `edgekd.lower.precision.LADDER` that it can lower to.
        scanned: Precisions whose files make use of calibration images without needing them.
    """

    precisions: ClassVar[tuple[str, ...]]
    scanned: ClassVar[tuple[str, ...]] = ()

    def __init__(self, descriptor: BackendDescriptor) -> None:
        self.descriptor = descriptor

    @property
    def name(self) -> str:
        """Name, as in target.toml and manifests."""
        return self.descriptor.name

    @property
    def model_file(self) -> str:
        """Name of the main file that `lower` writes."""
        return self.descriptor.model_file

    @property
    def host_session(self) -> str:
        """Name of the backend whose session runs the file on the host."""
        return self.descriptor.host_session

    @property
    def completion(self) -> Completion:
        """Whether the file is all that the device needs; see `Completion`."""
        return self.descriptor.completion

    @abstractmethod
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
            graph: uint8 [1, S, S, 3] → float32, in eval mode; it must not change between two
                calls, since intermediate files of it are kept for the next variant.
            image_size: S.
            variant: Variant to lower to, of one of `precisions`.
            calibration: Needed for `int8` and `int8-mixed`. For a precision in `scanned` ranges
                are measured on the images, if there are any; otherwise not used.
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
        """Known problems of this network on this engine, before anything is lowered.

        One sentence each, for people; empty where none is known.
        """
        del network
        return ()


@runtime_checkable
class RangedBackend(Protocol):
    """A backend that can lower by recorded ranges, without the calibration images."""

    def measure(
        self, graph: DeployGraph, image_size: int, variant: Variant, calibration: Calibration
    ) -> RecordedRanges:
        """Everything that `lower` takes from the calibration images for this variant.

        Arguments and errors: see `Backend.lower`.
        """

    def lower_by_ranges(
        self,
        graph: DeployGraph,
        image_size: int,
        variant: Variant,
        ranges: RecordedRanges,
        out: Path,
    ) -> dict[str, str]:
        """Write the very files that `lower` writes with the images that were measured.

        Arguments, result and errors: see `Backend.lower`.

        Raises:
            ArtefactError: The ranges lack a tensor of this graph.
        """


@runtime_checkable
class CheckedBackend(Protocol):
    """A backend that can check on the host whether the device will accept its file."""

    def check(self, file: Path, log: Path) -> EngineCheck:
        """Check a file that `lower` wrote; a file that fails is a result, not an error.

        Args:
            file: The main file.
            log: File for the messages of the checking library.
        """

    def checkers(self) -> dict[str, str]:
        """Versions of the checking libraries, by distribution; empty where none is installed."""


@runtime_checkable
class FinishingBackend(Protocol):
    """A backend whose bundles are finished on the device, by `edgekd build --on-device`."""

    def finish(
        self, bundle: Path, say: Callable[[str], None], *, evidence: Path | None = None
    ) -> Path:
        """Build the engine of a bundle on this device and put it in, whole or not at all.

        Args:
            bundle: The bundle's folder.
            say: Called with each step's description.
            evidence: File that the engine is gated with; None looks beside the bundle.

        Returns:
            The manifest's path.

        Raises:
            GateFailedError: The engine's outputs differ too much from the student's.
            EdgekdError: The engine cannot be built here.
        """


@runtime_checkable
class ProgramBackend(FinishingBackend, Protocol):
    """A backend whose device can build the engine via another library too.

    Attributes:
        via: What can give the device's builder the network: the usual one first, then libraries
            that read a program of their own.
    """

    via: ClassVar[tuple[str, ...]]

    def make_program(
        self,
        via: str,
        model: Path,
        images: Path,
        outputs: Path,
        out: Path,
        *,
        tolerance: float,
        log: Path,
        report: Callable[[str], None] = lambda state: None,
    ) -> ProgramRecord:
        """Write the program of a lowered file, and compare it with that file on every image.

        Args:
            via: One of `via`, not the first.
            model: The lowered file.
            images: File (.npy) with uint8 [N, S, S, 3].
            outputs: File (.npy) with the outputs [N, …] of the lowered file for these images.
            out: Folder that gets the program.
            tolerance: Largest difference that is allowed; a larger one is a result, not an error.
            log: File for the messages of the library.
            report: Takes `done/total` as images are run.

        Raises:
            EdgekdError: The file cannot be made a program of.
        """

    def finish(
        self,
        bundle: Path,
        say: Callable[[str], None],
        *,
        evidence: Path | None = None,
        via: str | None = None,
    ) -> Path:
        """See `FinishingBackend.finish`; `via` is one of the attribute, or None for the usual."""


def check_via(backend: Backend, via: str | None) -> None:
    """Raise InputError where `via` is none of the backend's."""
    known = backend.via if isinstance(backend, ProgramBackend) else ()
    if via is None or via in known:
        return
    message = f"{backend.descriptor.title} builds nothing via {via!r}"
    raise InputError(message, f"--via is one of: {', '.join(known)}" if known else "leave it out")


def reads_calibration(backend: Backend, variant: Variant) -> bool:
    """Whether the file of a variant depends on the calibration images."""
    return variant.calibrated or variant.precision in backend.scanned


def check_precision(backend: Backend, variant: Variant) -> None:
    """Raise InputError where a backend has no such precision."""
    if variant.precision not in backend.precisions:
        known = ", ".join(backend.precisions)
        message = f"{backend.name} does not lower to {variant.precision!r}"
        raise InputError(message, f"one of: {known}")


def check_request(
    backend: Backend, image_size: int, variant: Variant, calibration: Calibration | None
) -> None:
    """Raise InputError where a variant is not possible, or lacks its calibration images."""
    check_precision(backend, variant)
    if not variant.calibrated:
        return
    if calibration is None or len(calibration) == 0:
        message = f"{backend.name} needs calibration images to lower to {variant.precision}"
        raise InputError(message, "give images that stand for those of the device, 100 or more")
    shape = (image_size, image_size, 3)
    if calibration.shape[1:] != shape or calibration.dtype != np.uint8:
        actual = f"{calibration.dtype} {list(calibration.shape)}"
        message = f"calibration images are {actual}, not uint8 [N, {image_size}, {image_size}, 3]"
        raise InputError(message, "prepare them with edgekd.runtime.preprocess")


_OPERATORS = (
    re.compile(r"torch\.ops\.([\w.]+)"),
    re.compile(r"OpOverload\(op='([\w.]+)'"),
    re.compile(r"operation '([\w.]+)'"),
)
"""How converters name an operator that they do not support: the first group."""


@contextmanager
def converting(engine: str, purpose: str) -> Iterator[None]:
    """Context of the conversion that every precision starts from, to translate its errors.

    Args:
        engine: Title of the engine that the converter is for.
        purpose: Purpose of the tools, see `missing_tool`.

    Raises:
        UnconvertibleError: The converter failed; with its message and the operator.
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
    cause = lines[0] if lines else type(chain[-1]).__name__
    text = "\n".join(map(str, reversed(chain)))
    operator = next((match[1] for regex in _OPERATORS if (match := regex.search(text))), None)
    return cause if operator is None or operator in cause else f"{cause} (operator {operator})"


@contextmanager
def quantising_by_ranges(engine: str) -> Iterator[None]:
    """Context of a quantisation by recorded ranges, to translate its errors.

    Args:
        engine: Title of the engine.

    Raises:
        ArtefactError: The ranges are not those of this network as the tools here convert it.
    """
    try:
        yield
    except (EdgekdError, ImportError, OSError, MemoryError):
        raise
    except Exception as error:
        message = f"the recorded ranges do not fit {engine}'s file of the network: {_cause(error)}"
        raise ArtefactError(message, "install the versions that recorded them") from error


def missing_tool(error: ImportError, purpose: str) -> MissingDependencyError:
    """The error for a tool of the extra `lower` that could not be imported."""
    package = (error.name or "edgekd[lower]").split(".")[0].replace("_", "-")
    return MissingDependencyError(package, "lower", purpose)


def versions_of(*distributions: str) -> dict[str, str]:
    """Versions of those of the distributions that are installed."""
    versions = {}
    for name in distributions:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
