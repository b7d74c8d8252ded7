"""Files of tensors, read without running what they may hold besides: safetensors, and pickles of
PyTorch by `weights_only=True`.
"""

from __future__ import annotations

import argparse
import pathlib
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
import torch

from edgekd.errors import InputError

__all__ = ["is_pickle", "pickled_bytes", "read_tensors"]

_SAVE = "save its weights alone: torch.save(model.state_dict(), FILE)"
_AGAIN = "copy it again: it is damaged or cut off"
_MOST = 4
"""Names that a message lists."""

HARMLESS: list[Any] = [
    argparse.Namespace, pathlib.PosixPath, pathlib.PurePosixPath,
    np.dtype, np.ndarray, type(np.dtype(np.float64)), type(np.dtype(np.float32)),
    type(np.dtype(np.int64)), type(np.dtype(np.int32)), type(np.dtype(np.bool_)),
]  # fmt: skip
"""Classes that training scripts leave beside weights, and that hold plain values alone."""


def is_pickle(head: bytes) -> bool:
    """Whether a file that begins so is a pickle, or PyTorch's archive with one."""
    return head[:2] == b"PK" or head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def read_tensors(file: Path, *, trust_code: bool = False) -> Any:
    """What a file of tensors holds.

    Args:
        file: safetensors, or a pickle of PyTorch.
        trust_code: Read what else a pickle holds, which can run any code.

    Raises:
        InputError: It is damaged, or holds more than tensors and plain values.
    """
    if _is_safetensors(file):
        return _safetensors(file)
    try:
        with torch.serialization.safe_globals(HARMLESS + _numpy_functions()), catch_warnings():
            simplefilter("ignore")  # of pickles of other protocols
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "Unsupported" not in str(error):
            raise _damaged(file, "it is no whole pickle of PyTorch") from error
        if not trust_code:
            raise _refusal(file) from error
    except Exception as error:  # of many types, where a file is damaged
        raise _damaged(file, error) from error
    return _unrestricted(file)


def pickled_bytes(file: Path) -> bytes:
    """The pickle inside of PyTorch's archive, for a look at its words; b"" where there is none."""
    try:
        with zipfile.ZipFile(file) as archive:
            name = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
            return archive.read(name) if name else b""
    except (OSError, ValueError, zipfile.BadZipFile):
        return b""


def _is_safetensors(file: Path) -> bool:
    with file.open("rb") as stream:
        head = stream.read(9)
    return len(head) == 9 and head[8:] == b"{"


def _safetensors(file: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise _damaged(file, error) from error


def _numpy_functions() -> list[Any]:
    """NumPy's functions that make its numbers and arrays from a pickle."""
    core: Any = getattr(np, "_core", None) or np.core
    return [core.multiarray.scalar, core.multiarray._reconstruct]


def _unrestricted(file: Path) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=False)
    except Exception as error:  # whatever the file's code raises
        why = " ".join(str(error).split()) or type(error).__name__
        message = f"{file} cannot be read, although its code is trusted: {why}"
        raise InputError(message, f"install the packages that it names; or {_SAVE}") from error


def _refusal(file: Path) -> InputError:
    """The refusal of a pickle with more than tensors, which names what it holds."""
    try:
        names = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(file))
    except Exception:  # an old format, or none: the message does without names
        names = []
    message = f"{file} holds more than weights, which could run code{_listed(names)}"
    return InputError(message, f"{_SAVE}; or read it with --trust-code if you trust it")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f": {', '.join(names[:_MOST])}{more}" if names else ""


def _damaged(file: Path, error: object) -> InputError:
    first = next(iter(str(error).strip().splitlines()), "").partition(". ")[0]
    why = "it ends too early" if isinstance(error, EOFError) else first or type(error).__name__
    return InputError(f"the weights {file} cannot be read: {why}", _AGAIN)
