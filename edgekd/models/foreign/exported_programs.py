"""Networks in files of `torch.export.save`, read after a check that they hold no code.

PyTorch's own reader falls back to unrestricted pickles, and evaluates the expressions of sizes as
Python. So a file is refused before it is read unless its tensors are readable as weights alone, its
expressions are arithmetic of symbols, and its operators are those of tensors.
"""

from __future__ import annotations

import io
import json
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from edgekd.errors import InputError
from edgekd.models.adapted import outputs_in
from edgekd.models.foreign.base import ForeignNetwork, image_shape

__all__ = ["ExportedNetwork", "is_arithmetic", "open_network", "refuse_code"]

_OPERATORS = re.compile(
    r"torch\.ops\.(aten|prims|prim|torchvision|higher_order)\.\w+(\.\w+)?"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|neg|pos|pow|eq|ne|lt|le|gt|ge|and_|or_)"
    r"|torch\.sym_\w+|torch\._sym_\w+|math\.\w+"
)
_EXPRESSION = re.compile(r"([\w\s+\-*/%()<>=&|~.,]|'(s|u|zf|zuf|f|z)\d+')*")
_WORDS = re.compile(
    r"(s|u|zf|zuf|f|z)\d+|Symbol|Integer|Rational|Float|Add|Mul|Pow|positive|nonnegative|integer"
    r"|real|finite|nonzero|zero|precision|Max|Min|Mod|PythonMod|FloorDiv|CleanDiv|CeilDiv|CeilToInt|FloorToInt|Eq|Ne|Le|Lt|Ge"
    r"|Gt|And|Or|Not|True|False|oo|int_oo|Piecewise|ModularIndexing|Where|PowByNatural|IntTrueDiv"
    r"|FloatTrueDiv|ToFloat|TruncToInt|RoundToInt"
)
_HINT = "export the network again, with plain tensors as its inputs"


class ExportedNetwork(ForeignNetwork):
    """A network in an ExportedProgram's file; see `ForeignNetwork`.

    Args:
        file: The file.

    Raises:
        InputError: It may hold code, PyTorch does not read it, or it does not map images to
            outputs.
    """

    title: ClassVar[str] = "ExportedProgram"

    def __init__(self, file: Path) -> None:
        program = _opened(file)
        super().__init__(image_shape(str(file), _sizes(program, file)), file)
        self.program = program.module(check_guards=False).requires_grad_(False)
        for name in ("train", "eval"):  # which refuse: an exported program has one mode
            self.program.__dict__.pop(name, None)

    def train(self, mode: bool = True) -> ExportedNetwork:
        """Nothing: an exported program stays in the mode in which it was exported."""
        self.training = mode
        return self

    def infer(self, images: Tensor) -> Tensor:
        """Outputs [B, …] of images [B, …]."""
        answer = self.program(images)
        return outputs_in(answer, "" if isinstance(answer, Tensor) else "0").float()


def open_network(file: Path) -> ExportedNetwork:
    """The network in a file; see `ExportedNetwork`."""
    return ExportedNetwork(file)


def refuse_code(file: Path) -> None:
    """Refuse a file in which reading could run code.

    Raises:
        InputError: It is no such file, or holds more than tensors and operators of tensors.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            flaw = next(_flaws(archive), None)
    except (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, KeyError) as error:
        message = f"{file} is no ExportedProgram that can be read: {error}"
        raise InputError(message, "copy it again, or export it again") from error
    if flaw:
        message = f"{file} is not read, since that could run code: it has {flaw}"
        raise InputError(message, _HINT)


def _flaws(archive: zipfile.ZipFile) -> Iterator[str]:
    names = {name.partition("/")[2]: name for name in archive.namelist()}
    if "archive_format" not in names or "models/model.json" not in names:
        raise ValueError("it is of another format, or of an old PyTorch")
    for short, name in names.items():
        if short.startswith("data/aotinductor/"):
            yield "compiled code"
        elif short.startswith("data/constants/") and not short.endswith("_config.json"):
            if not short.rpartition("/")[2].startswith("tensor_"):
                yield f"an object ({short})"
        elif short.endswith(".pt") and not _is_of_tensors(archive.read(name)):
            yield f"an object ({short})"
        elif short.endswith("_config.json"):
            yield from _pickled(archive, names, short)
    yield from _code_in(json.loads(archive.read(names["models/model.json"])))


def _pickled(archive: zipfile.ZipFile, names: dict[str, str], config: str) -> Iterator[str]:
    """Tensors of a list that are stored as pickles of more than tensors."""
    listed = json.loads(archive.read(names[config])).get("config", {})
    for entry in listed.values():
        place = f"{config.rpartition('/')[0]}/{entry['path_name']}"
        if entry.get("use_pickle") and not _is_of_tensors(archive.read(names[place])):
            yield f"an object ({place})"


def _is_of_tensors(content: bytes) -> bool:
    try:
        torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:  # whatever the unpickler refuses, or cannot read
        return not content
    return True


def _code_in(value: Any) -> Iterator[str]:
    """Expressions and operators anywhere in a program that are not those of tensors."""
    if isinstance(value, list):
        for each in value:
            yield from _code_in(each)
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if key == "expr_str" and not is_arithmetic(inner):
            yield f"the expression {str(inner)[:80]!r}"
        called = key == "as_operator" or (key == "target" and "inputs" in value)
        if called and not _OPERATORS.fullmatch(str(inner)):
            yield f"the operator {str(inner)[:80]!r}"
        yield from _code_in(inner)


def is_arithmetic(expression: Any) -> bool:
    """Whether an expression is of numbers and symbols of sizes alone."""
    if not isinstance(expression, str) or not _EXPRESSION.fullmatch(expression):
        return False
    words = re.findall(r"[A-Za-z_]\w*", expression)
    return all(_WORDS.fullmatch(word) for word in words)


def _opened(file: Path) -> Any:
    refuse_code(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.export.load(io.BytesIO(file.read_bytes()))
    except Exception as error:  # the reader raises exceptions of many types
        why = next(iter(str(error).strip().splitlines()), type(error).__name__)
        message = f"{file} is no ExportedProgram that this PyTorch reads: {why}"
        raise InputError(message, "export it again with a PyTorch near this one") from error
    return program


def _sizes(program: Any, file: Path) -> tuple[int | None, ...]:
    """The sizes of the only input; None for one that may vary.

    Raises:
        InputError: It has several inputs.
    """
    taken = [
        node
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in program.graph_signature.user_inputs
    ]
    if len(taken) != 1 or not hasattr(taken[0].meta.get("val"), "shape"):
        message = f"the network of {file} takes {len(taken)} inputs, and not images alone"
        raise InputError(message, "export one that takes images alone")
    return tuple(
        int(size) if isinstance(size, int) else None for size in taken[0].meta["val"].shape
    )
