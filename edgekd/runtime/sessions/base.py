"""The interface of the sessions of all backends: a uint8 image in, a float32 output out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Facts", "Image", "Output", "Session"]

Image = NDArray[np.uint8]
"""uint8 RGB: [S, S, 3], or [1, S, S, 3] where a batch axis is mentioned."""

Output = NDArray[np.float32]
"""float32 [1, …], the network's raw output: logits [1, K] before temperature and softmax."""

Facts = dict[str, "str | int | float | bool | None"]
"""What a session obtained, for manifests and reports: versions, threads, precision, providers."""


@runtime_checkable
class Session(Protocol):
    """One opened model file.

    A session must not run in two threads at once; `Classifier` ensures that.
    """

    @property
    def backend(self) -> str:
        """Name of the engine that runs: `tflite`, `openvino`, `onnx`, `tensorrt`."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the input, [1, S, S, 3]."""

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the output, the batch of one first: [1, K] of a classifier."""

    @property
    def facts(self) -> Facts:
        """The engine and what was obtained from it, which may be less than was requested."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each option that was not obtained or that costs time; may be empty."""

    def run(self, image: Image) -> Output:
        """Output [1, …] for one image [1, S, S, 3], owned by the caller."""

    def close(self) -> None:
        """Release the engine; a closed session cannot run."""
