"""Networks in files of other programs, which give outputs and no features.

Each module opens one kind of file as a module of PyTorch; its line is in `FOREIGN`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import cast

from edgekd.models.foreign.base import ForeignNetwork

__all__ = ["FOREIGN", "ForeignNetwork", "open_foreign"]

FOREIGN: Mapping[str, str] = {
    "ONNX": "edgekd.models.foreign.onnx_files",
    "ExportedProgram": "edgekd.models.foreign.exported_programs",
    "TorchScript": "edgekd.models.foreign.torchscript_files",
}
"""The module of each `arch` of `edgekd.models.card.OUTPUTS_ALONE`; it has `open_network(file)`."""


def open_foreign(arch: str, file: Path) -> ForeignNetwork:
    """The network in a file.

    Args:
        arch: Its kind, of `FOREIGN`.
        file: The file.

    Raises:
        InputError: It is not such a file, or its network takes no images.
        MissingDependencyError: Its engine is not installed.
    """
    opener = cast(Callable[[Path], ForeignNetwork], import_module(FOREIGN[arch]).open_network)
    return opener(file)
