"""What the session of every backend does: a uint8 image in, a float32 output out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Facts", "Image", "Output", "Session"]

Image = NDArray[np.uint8]
"""uint8 RGB: [S, S, 3], or [1, S, S, 3] where a batch axis is mentioned."""

Output = NDArray[np.float32]
"""float32 [1, …], as the network gives it: logits [1, K] before temperature and softmax."""

Facts = dict[str, "str | int | float | bool | None"]
"""What a session obtained, for manifests and reports: versions, threads, precision, providers."""


@runtime_checkable
class Session(Protocol):
    """One opened model file.

    A session is not shared between threads; `Classifier` sees to that.
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
        """What the engine is and what was obtained from it, not what was requested."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was not obtained or costs time, a sentence each; empty where all is well."""

    def run(self, image: Image) -> Output:
        """Output [1, …] for one image [1, S, S, 3], owned by the caller."""

    def close(self) -> None:
        """Give back what the engine holds; a closed session cannot run."""
