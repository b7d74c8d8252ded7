"""Ranges of activations that int8 TensorFlow Lite files are scaled by, and means of inputs."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekd.lower.backends._tflite_bias import OperatorWithBias, operators_with_bias
from edgekd.lower.backends._tflite_layers import GraphReader
from edgekd.lower.backends.base import Calibration, missing_tool
from edgekd.lower.int8.bias_correction import window_means
from edgekd.lower.int8.recorded_ranges import RecordedRanges

__all__ = [
    "Measured",
    "Statistics",
    "every_tensor_kept",
    "measure_activations",
    "measured_of",
    "recorded",
]

Statistics = dict[str, dict[str, NDArray[np.float32]]]
"""Least and greatest value of each tensor by its name, as AI Edge Quantizer takes them."""


@dataclass(frozen=True)
class Measured:
    """What is measured of a float file on calibration images.

    Attributes:
        ranges: Least and greatest value of every float activation.
        means: Mean input at each position of the kernel, of each operator with a bias that can be
            corrected, by the name of the tensor that it writes.
    """

    ranges: Statistics
    means: Mapping[str, NDArray[np.float32]]


_kept: dict[bytes, Measured] = {}
"""The latest measurement, by a hash of the file and the images that it was made on."""


def measure_activations(content: bytes, calibration: Calibration) -> Measured:
    """Ranges and means of the activations over all calibration images.

    The quantizer's own way is a moving average (0.95) of each image's extremes. It depends on
    the order and cuts off the unusual images: on a trained MobileNetV2 it brought the
    correlation of the logits from 0.98 down to 0.88.

    The last result is kept: every int8 variant of one float file has the same activations.

    Args:
        content: The float file.
        calibration: uint8 [N, S, S, 3].
    """
    key = _fingerprint(content, calibration)
    if key not in _kept:
        _kept.clear()
        _kept[key] = _measure(content, calibration)
    measured = _kept[key]
    return Measured(
        {name: dict(range_) for name, range_ in measured.ranges.items()}, measured.means
    )


def recorded(measured: Measured, images: int) -> RecordedRanges:
    """The measurement as it is recorded; `images` is the number that it was made on."""
    tensors = {name: (each["min"], each["max"]) for name, each in measured.ranges.items()}
    return RecordedRanges(tensors, images, measured.means)


def measured_of(ranges: RecordedRanges) -> Measured:
    """The measurement that was recorded."""
    statistics = {name: {"min": low, "max": high} for name, (low, high) in ranges.tensors.items()}
    return Measured(statistics, ranges.means)


@contextmanager
def every_tensor_kept() -> Iterator[None]:
    """Silence LiteRT's warning of a debugging option, the only one that keeps activations."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")
        yield


def _fingerprint(content: bytes, calibration: Calibration) -> bytes:
    digest = hashlib.sha256(content)
    digest.update(repr(calibration.shape).encode())
    digest.update(np.ascontiguousarray(calibration).data)
    return digest.digest()


def _measure(content: bytes, calibration: Calibration) -> Measured:
    """Measure with one interpreter for all images, without copies of tensors.

    The quantizer's calibrator copies every tensor of every image, the weights as well: for a
    MobileNetV2 at 224 pixels that is five times the work.
    """
    interpreter = _interpreter(content)
    activations = _activations(interpreter, content)
    biased = list(operators_with_bias(GraphReader(content)))
    inputs = [interpreter.tensor(each.input) for each in biased]
    lowest = dict.fromkeys(activations, np.inf)
    highest = dict.fromkeys(activations, -np.inf)
    sums = [np.zeros(1)] * len(biased)
    for _ in _inferences(interpreter, calibration):
        for tensor, view in activations.items():
            low, high = _extremes(view())
            lowest[tensor] = min(lowest[tensor], low)
            highest[tensor] = max(highest[tensor], high)
        sums = [known + view() for known, view in zip(sums, inputs, strict=True)]
    ranges = {
        tensor: {"min": _scalar(lowest[tensor]), "max": _scalar(highest[tensor])}
        for tensor in activations
        if lowest[tensor] <= highest[tensor]
    }
    means = {
        each.name: _mean_inputs(each, total / len(calibration))
        for each, total in zip(biased, sums, strict=True)
    }
    return Measured(ranges, means)


def _interpreter(content: bytes) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise missing_tool(error, "quantise for TensorFlow Lite") from error
    with every_tensor_kept():
        made = Interpreter(
            model_content=content, num_threads=1, experimental_preserve_all_tensors=True
        )
    made.allocate_tensors()
    return made


def _activations(interpreter: Any, content: bytes) -> dict[str, Any]:
    """Readers of the float tensors that operators write, by name."""
    from ai_edge_quantizer.utils import tfl_flatbuffer_utils as flatbuffer

    (graph,) = flatbuffer.read_model(content).subgraphs
    written = sorted({int(index) for operator in graph.operators for index in operator.outputs})
    types = {detail["index"]: detail["dtype"] for detail in interpreter.get_tensor_details()}
    return {
        flatbuffer.get_tensor_name(graph.tensors[index]): interpreter.tensor(index)
        for index in written
        if types[index] == np.float32
    }


def _inferences(interpreter: Any, calibration: Calibration) -> Iterator[None]:
    """Run every image; the interpreter's tensors hold its activations at each step."""
    (image_input,) = interpreter.get_input_details()
    for image in calibration:
        interpreter.set_tensor(image_input["index"], image[None])
        interpreter.invoke()
        yield


def _extremes(values: NDArray[np.float32]) -> tuple[float, float]:
    """Least and greatest finite value (a padded max pooling pads with -inf)."""
    low, high = float(values.min()), float(values.max())
    if np.isfinite(low) and np.isfinite(high):
        return low, high
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (np.inf, -np.inf)


def _mean_inputs(layer: OperatorWithBias, mean: NDArray[np.float64]) -> NDArray[np.float32]:
    """The mean input at each position of a layer's kernel, from its mean input over images."""
    if layer.window is None:  # it may flatten its input, or look at several positions
        return np.asarray(mean.reshape(-1, layer.channels).mean(axis=0), np.float32)
    channels_first = np.moveaxis(mean[0], -1, 0)
    return window_means(channels_first, layer.window).astype(np.float32)


def _scalar(value: float) -> NDArray[np.float32]:
    """A value in the four dimensions that the quantizer keeps for activations."""
    return np.full((1, 1, 1, 1), value, np.float32)
