"""NNCF's statistics of activations, recorded once and then given back instead of images.

NNCF can keep statistics for the compression of weights alone. Its aggregator has the two functions
for any statistics; they are not part of NNCF's public interface, so a file made by them has to be
compared with one that was made with images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from edgekd.lower.backends.base import missing_tool
from edgekd.lower.int8.recorded_ranges import Extremes

__all__ = ["by_statistics", "recording_statistics"]

_LEAST, _GREATEST = "min_values", "max_values"


@contextmanager
def recording_statistics() -> Iterator[dict[str, Extremes]]:
    """Let `nncf.quantize` measure as always; the extremes are in the dictionary afterwards."""
    tensors: dict[str, Extremes] = {}
    collect = _aggregator().collect_statistics

    def collect_and_record(self: Any, model: Any, graph: Any) -> None:
        collect(self, model, graph)
        for name, values in self._prepare_statistics().items():
            tensors[name] = (values[_LEAST].data, values[_GREATEST].data)

    with _collecting_by(collect_and_record):
        yield tensors


@contextmanager
def by_statistics(tensors: Mapping[str, Extremes]) -> Iterator[None]:
    """Let `nncf.quantize` take these extremes, and look at no image."""
    _aggregator()  # an error of ours where NNCF is not installed
    from nncf.tensor import Tensor

    data = {
        name: {_LEAST: Tensor(least), _GREATEST: Tensor(greatest)}
        for name, (least, greatest) in tensors.items()
    }

    def give_back(self: Any, model: Any, graph: Any) -> None:
        self._load_statistics(data)

    with _collecting_by(give_back):
        yield


@contextmanager
def _collecting_by(collect: Callable[[Any, Any, Any], None]) -> Iterator[None]:
    """Let every aggregator collect its statistics by this function."""
    aggregator = _aggregator()
    plain = aggregator.collect_statistics
    aggregator.collect_statistics = collect
    try:
        yield
    finally:
        aggregator.collect_statistics = plain


def _aggregator() -> Any:
    """NNCF's class that collects statistics of OpenVINO's models."""
    from edgekd.runtime.telemetry import silence

    silence()
    try:
        from nncf.openvino.statistics.aggregator import OVStatisticsAggregator
    except ImportError as error:
        raise missing_tool(error, "quantise for OpenVINO") from error
    return OVStatisticsAggregator
