"""Networks in ONNX, by ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from edgekd.errors import InputError, MissingDependencyError
from edgekd.models.foreign.base import ForeignNetwork, image_shape
from edgekd.runtime.telemetry import silence

__all__ = ["OnnxNetwork", "open_network"]

_KEY = b"\x0a\x08location"
"""What a file with weights in other files holds: the key of their place, in ONNX's protobuf."""
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
}
"""Types of input that images can be given as."""


class OnnxNetwork(ForeignNetwork):
    """A network in ONNX; see `ForeignNetwork`.

    Args:
        file: The file, with its weights inside.

    Raises:
        InputError: ONNX Runtime does not open it, or it does not map images to outputs.
        MissingDependencyError: ONNX Runtime is not installed.
    """

    title: ClassVar[str] = "ONNX"

    def __init__(self, file: Path) -> None:
        self._session = _opened(file)
        taken = self._session.get_inputs()
        if len(taken) != 1 or taken[0].type not in _TYPES:
            kinds = ", ".join(f"{each.name} {each.type}" for each in taken)
            message = f"the network of {file} takes {kinds}, and not one tensor of images"
            raise InputError(message, "export one that takes images alone")
        super().__init__(image_shape(str(file), tuple(map(_size, taken[0].shape))), file)
        self._input, self._type = taken[0].name, _TYPES[taken[0].type]
        self._output = _output_of(self._session, file)

    def infer(self, images: Tensor) -> Tensor:
        """Outputs [B, …] of images [B, …], on their device and without gradient."""
        pixels = images.detach().cpu().numpy()
        if np.issubdtype(self._type, np.integer):
            pixels = pixels.round().clip(0, 255)
        (outputs,) = self._session.run([self._output], {self._input: pixels.astype(self._type)})
        return torch.from_numpy(np.asarray(outputs)).float().to(images.device)

    def save(self, target: Path) -> None:
        """Write the network to another file, with weights that it keeps in files beside.

        Raises:
            MissingDependencyError: There are such files, and the package onnx is not installed.
        """
        if _KEY not in self.file.read_bytes():
            super().save(target)
            return
        try:
            import onnx
        except ImportError as error:
            purpose = f"take along the weights that {self.file} keeps in other files"
            raise MissingDependencyError("onnx", "lower", purpose) from error
        onnx.save(onnx.load(self.file), target)

    def __getstate__(self) -> dict[str, Any]:
        """Without the session, which cannot be copied to another process."""
        return {key: value for key, value in self.__dict__.items() if key != "_session"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._session = _opened(self.file)


def open_network(file: Path) -> OnnxNetwork:
    """The network in a file; see `OnnxNetwork`."""
    return OnnxNetwork(file)


def _opened(file: Path) -> Any:
    silence()
    try:
        import onnxruntime
    except ImportError as error:
        purpose = "run a network in ONNX"
        raise MissingDependencyError("onnxruntime", "lower", purpose) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what is wrong is in the exception
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises exceptions of many types
        why = " ".join(str(error).split())
        message = f"{file} is no ONNX that ONNX Runtime opens: {why}"
        raise InputError(message, "copy it again, or export it again") from error


def _size(size: int | str | None) -> int | None:
    """A dimension; one with a name, or without any, may have any size."""
    return size if isinstance(size, int) and size > 0 else None


def _output_of(session: Any, file: Path) -> str:
    """The name of the first output that has a row of numbers for each image."""
    given = session.get_outputs()
    rows = [each for each in given if len(each.shape) == 2 and each.type in _TYPES]
    if not rows:
        kinds = ", ".join(f"{each.name} {each.type} {each.shape}" for each in given)
        message = f"the network of {file} gives {kinds}, and no outputs [N, classes]"
        raise InputError(message, "export one whose output has a number for each class")
    return str(rows[0].name)
