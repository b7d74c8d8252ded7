"""Running a file by `onnx.reference.ReferenceEvaluator`."""

from __future__ import annotations

from importlib import metadata

import numpy as np

from edgekd.bundle import ModelFiles
from edgekd.errors import ArtefactError, MissingDependencyError
from edgekd.runtime.sessions.base import Facts, Image, Output


def open_file(
    model: ModelFiles,
    *,
    threads: int | None = None,
    accelerator: str | None = None,
    require: bool = False,
) -> ReferenceSession:
    """Open a file; NumPy takes neither a number of threads nor an accelerator."""
    try:
        import onnx
    except ImportError as error:
        raise MissingDependencyError("onnx", "lower", "run a file by the reference") from error
    try:
        return ReferenceSession(onnx.load_from_string(model.read()))
    except Exception as error:
        raise ArtefactError(f"{model.name} cannot be read: {error}", "build it again") from error


class ReferenceSession:
    """One opened file."""

    backend = "reference"
    warnings = ()

    def __init__(self, graph) -> None:
        from onnx.reference import ReferenceEvaluator

        self._evaluator = ReferenceEvaluator(graph)
        self.input_shape = _shape(graph.graph.input[0])
        self.output_shape = _shape(graph.graph.output[0])

    @property
    def facts(self) -> Facts:
        """The engine and its version."""
        return {"engine": f"onnx {metadata.version('onnx')}", "accelerator": "CPU"}

    def run(self, image: Image) -> Output:
        """Output of one image [1, S, S, 3]."""
        feeds = {self._evaluator.input_names[0]: image}
        return np.array(self._evaluator.run(None, feeds)[0], np.float32)

    def close(self) -> None:
        """Nothing is held."""


def _shape(port) -> tuple[int, ...]:
    return tuple(side.dim_value for side in port.type.tensor_type.shape.dim)
