"""One interface for what is timed: a bundle by its engine, or a checkpoint by PyTorch.

The model call spans the same work for both: uint8 pixels [S, S, 3] in, float32 output out, with
cast and normalisation inside.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgekd.bundle.task import manifest_task
from edgekd.errors import MissingDependencyError
from edgekd.runtime.task import device_task

if TYPE_CHECKING:
    from edgekd.models import Checkpoint

__all__ = ["Subject", "TorchSubject", "open_bundle", "open_checkpoint"]


class Subject(Protocol):
    """A model that can be timed. `edgekd.runtime.Classifier` has this interface."""

    @property
    def facts(self) -> dict[str, Any]:
        """The engine with its version, and the options that were obtained."""

    def preprocess(self, image: bytes, /) -> NDArray[np.uint8]:
        """uint8 [S, S, 3] of an encoded image."""

    def logits(self, image: NDArray[np.uint8], /) -> NDArray[np.float32]:
        """Raw float32 output for a preprocessed image."""

    def predict(self, image: bytes, /) -> object:
        """The decision for an encoded image."""

    def close(self) -> None:
        """Release the engine."""


def open_bundle(path: str, *, backend: str | None, threads: int) -> Subject:
    """A bundle by its engine; see `Classifier.open` for the errors."""
    from edgekd.runtime import Classifier

    return Classifier.open(path, threads=threads, backend=backend, selftest=False)


def open_checkpoint(folder: str, *, threads: int) -> TorchSubject:
    """A checkpoint by PyTorch; see `load_checkpoint` for the errors.

    Raises:
        MissingDependencyError: PyTorch is not installed.
    """
    models = torch_models()
    import torch

    torch.set_num_threads(threads)
    return TorchSubject(models.load_checkpoint(Path(folder)))


def torch_models() -> Any:
    """The module `edgekd.models`, imported on first use, since it imports PyTorch.

    Raises:
        MissingDependencyError: PyTorch, timm or safetensors is not installed.
    """
    try:
        import edgekd.models as models
    except ModuleNotFoundError as error:
        package = (error.name or "torch").split(".")[0]
        purpose = "measure the teacher and the float student"
        raise MissingDependencyError(package, "distill", purpose) from error
    return models


class TorchSubject:
    """A checkpoint run by PyTorch on the CPU, float32."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._size = checkpoint.card.image_size
        self._classes = checkpoint.card.classes
        self._task = device_task(checkpoint.card.task)
        self._decision = manifest_task(checkpoint.card.task).Decision()
        self._network = checkpoint.normalised()

    @property
    def facts(self) -> dict[str, Any]:
        """Version, threads and precision of PyTorch."""
        import torch

        return {
            "engine": f"pytorch {torch.__version__}",
            "threads": torch.get_num_threads(),
            "precision": "float32",
        }

    def preprocess(self, image: bytes, /) -> NDArray[np.uint8]:
        """See `Subject`."""
        from edgekd.runtime.preprocess import load_image

        return load_image(image, self._size)

    def logits(self, image: NDArray[np.uint8], /) -> NDArray[np.float32]:
        """See `Subject`."""
        import torch

        from edgekd.models import pixels_of

        with torch.inference_mode():
            pixels = pixels_of(torch.from_numpy(image[None]))
            return np.asarray(self._network(pixels)[0].numpy(), np.float32)

    def predict(self, image: bytes, /) -> str:
        """The label by the task's decision with nothing fitted: a checkpoint has no thresholds."""
        outputs = self.logits(self.preprocess(image))
        return self._task.judge(outputs, self._decision, self._classes).label

    def close(self) -> None:
        """Nothing to release."""
