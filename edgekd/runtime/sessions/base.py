"""What every backend's session does: a uint8 image in, float32 logits out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Facts", "Image", "Logits", "Session"]

Image = NDArray[np.uint8]
"""uint8 RGB: [S, S, 3], or [1, S, S, 3] where a batch axis is said."""

Logits = NDArray[np.float32]
"""float32 [1, K], before temperature and softmax."""

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
    def classes(self) -> int:
        """K, the number of logits."""

    @property
    def facts(self) -> Facts:
        """What the engine is and what was obtained from it, not what was asked for."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was not obtained or costs time, a sentence each; empty where all is well."""

    def run(self, image: Image) -> Logits:
        """Logits [1, K] of one image [1, S, S, 3], owned by the caller."""

    def close(self) -> None:
        """Give back what the engine holds; a closed session cannot run."""
