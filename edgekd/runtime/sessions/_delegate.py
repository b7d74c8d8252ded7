"""Delegates of TensorFlow Lite: loading them, and measuring how much of the graph they take."""

from __future__ import annotations

import ctypes
from collections import Counter
from dataclasses import dataclass
from typing import Any

from edgekd.runtime.sessions._engine import Shortfall, last_line

__all__ = [
    "GraphSplit",
    "delegate_refused",
    "delegate_shortfall",
    "load_delegate",
    "split_of",
    "xnnpack_shortfall",
]

_ENTRY_POINTS = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")
_CONVERSIONS = {"CAST", "DEQUANTIZE", "QUANTIZE"}
"""Operators that a delegate may leave out: they are at the graph's ends and cost almost nothing."""

_ON_CPU = "the file runs on the CPU"
_GIVE_PATH = "give the path of a delegate's library (libedgetpu.so.1, say), or leave it to the CPU"
_UNCUT = "build the bundle in another precision or from another student, so that nothing cuts it"


@dataclass(frozen=True)
class GraphSplit:
    """The division of a graph between delegates and the plain kernels.

    Attributes:
        pieces: Number of subgraphs that were delegated; 1 is best.
        left: Names of the operators that the plain kernels run.
    """

    pieces: int
    left: tuple[str, ...]


def split_of(interpreter: Any) -> GraphSplit | None:
    """The division of the graph as it is now; None where it is unknown.

    Only private attributes reveal it, so any failure counts as unknown.
    """
    try:
        operators = interpreter._get_ops_details()
        outputs = [tensor["index"] for tensor in interpreter.get_output_details()]
        names = [operator["op_name"] for operator in operators]
        return GraphSplit(names.count("DELEGATE"), _left(operators, outputs))
    except Exception:
        return None


def _left(operators: list[dict[str, Any]], outputs: list[int]) -> tuple[str, ...]:
    """Names of the operators that plain kernels run, without those that a delegate replaced."""
    # A delegate's node follows those that it replaces: the last producer of a tensor counts.
    makers = {int(made): one for one in operators for made in one["outputs"]}
    tensors, seen = [int(output) for output in outputs], set()
    left = []
    while tensors:
        maker = makers.get(tensors.pop())
        if maker is None or maker["index"] in seen:
            continue
        seen.add(maker["index"])
        tensors += map(int, maker["inputs"])
        if maker["op_name"] != "DELEGATE":
            left.append(maker["op_name"])
    return tuple(left)


def load_delegate(module: Any, requested: str | None) -> tuple[Any, Shortfall | None]:
    """The delegate of the library `requested`, or None with the shortfall.

    Args:
        module: The interpreter's module, with its `load_delegate`.
        requested: A path, or a plain word; `cpu` and None need no delegate.
    """
    word = (requested or "cpu").lower()
    if word == "cpu":
        return None, None
    if word in ("gpu", "npu"):
        problem = f"the {word.upper()} was requested, but TensorFlow Lite brings no delegate for it"
        return None, Shortfall(problem, _ON_CPU, _GIVE_PATH)
    try:
        _check_library(str(requested))
        return module.load_delegate(requested), None
    except (OSError, ValueError, RuntimeError) as error:
        problem = f"the delegate {requested} cannot be loaded: {last_line(error)}"
        return None, Shortfall(problem, _ON_CPU, "check the path, its libraries and the device")


def _check_library(path: str) -> None:
    """Refuse a library that is not a delegate; the engines' loaders would leak a partial object."""
    library = ctypes.PyDLL(path)
    missing = [name for name in _ENTRY_POINTS if not hasattr(library, name)]
    if missing:
        raise ValueError(f"it is no delegate, for it has no {missing[0]}")


def delegate_refused(requested: str | None, error: BaseException) -> Shortfall:
    """The shortfall where a delegate was loaded but did not accept the graph."""
    problem = f"the delegate {requested} did not take the graph: {last_line(error)}"
    return Shortfall(problem, _ON_CPU, "build the file for that delegate")


def delegate_shortfall(delegate: str, split: GraphSplit | None) -> Shortfall | None:
    """The shortfall where a delegate left operators out; None if it left only conversions."""
    hint = "build the file for that delegate, or leave it to the CPU"
    if split is None:
        problem = f"this engine does not report what the delegate {delegate} took of the graph"
        return Shortfall(problem, "it may run on the CPU", hint)
    if split.pieces == 0:
        return Shortfall(f"the delegate {delegate} took nothing of the graph", _ON_CPU, hint)
    counts = Counter(name for name in split.left if name not in _CONVERSIONS)
    if split.pieces == 1 and not counts:
        return None
    left = ", ".join(f"{count} {name}" for name, count in counts.most_common(4)) or "conversions"
    problem = (
        f"the delegate {delegate} took the graph in {_in_pieces(split.pieces)}, without {left}"
    )
    return Shortfall(problem, "the rest runs on the CPU", hint)


def xnnpack_shortfall(pieces: int | None) -> Shortfall | None:
    """The shortfall where XNNPACK did not take the whole graph in one piece on the CPU, or None."""
    if pieces == 1:
        return None
    if pieces is None:
        problem = "this engine does not report whether XNNPACK took the graph"
        return Shortfall(problem, "it may be slow", "install ai-edge-litert")
    if pieces == 0:
        problem = "XNNPACK took nothing of the graph"
        return Shortfall(problem, "the engine's plain kernels are slow", "install ai-edge-litert")
    problem = f"XNNPACK took the graph in {_in_pieces(pieces)}"
    return Shortfall(problem, "each cut costs time", _UNCUT)


def _in_pieces(count: int) -> str:
    return "one piece" if count == 1 else f"{count} pieces"
