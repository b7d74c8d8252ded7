"""Networks in TorchScript."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from edgekd.errors import InputError
from edgekd.models.adapted import outputs_in
from edgekd.models.foreign.base import ForeignNetwork, InputShape

__all__ = ["TorchScriptNetwork", "open_network"]


class TorchScriptNetwork(ForeignNetwork):
    """A network in TorchScript; see `ForeignNetwork`.

    The file does not say which images it takes: any, in the order [N, 3, S, S].

    Args:
        file: The file.

    Raises:
        InputError: PyTorch does not open it.
    """

    title: ClassVar[str] = "TorchScript"

    def __init__(self, file: Path) -> None:
        super().__init__(InputShape("NCHW", None, None), file)
        self._open()

    def _open(self) -> None:
        # Not as a part of this module: its tensors are not to be trained, moved or stored.
        object.__setattr__(self, "_program", _opened(self.file))

    def infer(self, images: Tensor) -> Tensor:
        """Outputs [B, …] of images [B, …], on their device and without gradient."""
        with torch.no_grad():
            program: Any = self._program
            answer = program(images.cpu())
        outputs = outputs_in(answer, "" if isinstance(answer, Tensor) else "0")
        return outputs.float().to(images.device)

    def __getstate__(self) -> dict[str, Any]:
        """Without the program, which cannot be copied to another process."""
        return {key: value for key, value in self.__dict__.items() if key != "_program"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._open()


def open_network(file: Path) -> TorchScriptNetwork:
    """The network in a file; see `TorchScriptNetwork`."""
    return TorchScriptNetwork(file)


def _opened(file: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning)  # it has no successor for us
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            load: Any = torch.jit.load
            program = load(str(file), map_location="cpu")
    except (RuntimeError, ValueError, OSError) as error:
        why = next(iter(str(error).strip().splitlines()), type(error).__name__)
        message = f"{file} is no TorchScript that PyTorch opens: {why}"
        raise InputError(message, "copy it again, or export it again") from error
    return program.eval().float()
