"""Times of the networks of a space on a device: a table of some, and what it says of the others.

Each network of the table is measured as a whole by `edgekd bench`. Its time is taken for a sum over
stages: of their blocks, of their multiply-accumulates in 1×1 and in depthwise convolutions, each at
a price of the stage's own that fits the table best (non-negative least squares), and of a constant.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgekd.errors import ArtefactError, InputError
from edgekd.files import pretty_json, write_atomically
from edgekd.models.mobile import MobileOptions

__all__ = ["Latencies", "LatencyRow", "LatencyTable", "read_table", "write_table"]

_LEAST = 4
"""Fewest rows of a table that says something of other networks."""


class LatencyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A network that was measured.

    Attributes:
        options: The options of its architecture.
        p50_ms: Median milliseconds of the model call.
        flagged: Whether the benchmark calls the times doubtful.
    """

    options: MobileOptions
    p50_ms: float
    flagged: bool = False


class LatencyTable(msgspec.Struct, frozen=True, kw_only=True):
    """The file of `--latency`.

    Attributes:
        device: Name of the device, as for `edgekd bench --device`, or `local`.
        target: The target that networks were lowered for; None for PyTorch on this machine.
        precision: Precision of the lowered files.
        image_size: S, the side in pixels.
        classes: Number of outputs.
        rows: What was measured.
        complete: Whether all networks were measured; an interrupted measurement continues.
        format_version: Version of the file's format.
    """

    device: str
    target: str | None
    precision: str
    image_size: int
    classes: int
    rows: list[LatencyRow]
    complete: bool = True
    format_version: int = 1

    def facts(self) -> tuple[Any, ...]:
        """The facts that must agree before a kept table is reused."""
        return (self.device, self.target, self.precision, self.image_size, self.classes)


@dataclass(frozen=True)
class Latencies:
    """What a table says of networks.

    Attributes:
        table: The table.
    """

    table: LatencyTable

    def __post_init__(self) -> None:
        """Refuse a table that is too short, or whose networks have different stages."""
        lengths = {len(row.options.stages) for row in self.table.rows}
        if len(self.table.rows) < _LEAST or len(lengths) != 1:
            message = f"the table of latencies has {len(self.table.rows)} networks of one kind"
            raise InputError(message, f"measure {_LEAST} or more networks of the space")

    def of(self, options: MobileOptions) -> float:
        """Milliseconds of a network.

        Raises:
            InputError: It has another number of stages than those of the table.
        """
        features = _features(options, self.table.image_size)
        if len(features) != len(self._prices):
            stages = len(self.table.rows[0].options.stages)
            message = f"the table of latencies is of networks with {stages} stages"
            raise InputError(message, "measure a table of this space, in another file")
        return float(features @ self._prices)

    @cached_property
    def _prices(self) -> NDArray[np.float64]:
        return _fitted(self.table.rows, self.table.image_size)

    @cached_property
    def error(self) -> float:
        """Median relative error for a network that is not in the table: each is left out once."""
        errors = []
        for number, row in enumerate(self.table.rows):
            others = self.table.rows[:number] + self.table.rows[number + 1 :]
            prices = _fitted(others, self.table.image_size)
            expected = float(_features(row.options, self.table.image_size) @ prices)
            errors.append(abs(expected / row.p50_ms - 1.0))
        return float(np.median(errors))


def read_table(file: Path) -> LatencyTable:
    """Read a table.

    Raises:
        ArtefactError: It is missing or damaged.
    """
    try:
        return msgspec.json.decode(file.read_bytes(), type=LatencyTable)
    except (OSError, msgspec.MsgspecError, UnicodeError) as error:
        message = f"{file} is no table of latencies, or is damaged: {error}"
        raise ArtefactError(message, "remove it: it is measured again") from error


def write_table(file: Path, table: LatencyTable) -> None:
    """Write a table."""
    write_atomically(file, pretty_json(table))


def _fitted(rows: list[LatencyRow], image_size: int) -> NDArray[np.float64]:
    """The price of each feature, in milliseconds; relative errors count."""
    from scipy.optimize import nnls

    times = np.array([row.p50_ms for row in rows])
    features = np.stack([_features(row.options, image_size) for row in rows])
    prices, _ = nnls(features / times[:, None], np.ones(len(rows)))
    return np.asarray(prices, np.float64)


def _features(options: MobileOptions, image_size: int) -> NDArray[np.float64]:
    """A constant, and of each stage its blocks and their million multiply-accumulates."""
    side, width = -(-image_size // options.stem_stride), options.stem
    features = [1.0]
    for stage in options.stages:
        pointwise = depthwise = 0.0
        for number, kernel in enumerate(stage.kernels):
            inside = width * stage.expansion
            pointwise += side**2 * width * inside if stage.expansion > 1 else 0
            side = -(-side // (stage.stride if number == 0 else 1))
            depthwise += side**2 * inside * kernel**2
            pointwise += side**2 * inside * stage.width
            width = stage.width
        features += [float(len(stage.kernels)), pointwise / 1e6, depthwise / 1e6]
    return np.array(features)
