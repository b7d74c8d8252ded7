"""The operators of a TensorFlow Lite file that compute given layers of the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekd.errors import ArtefactError, InputError
from edgekd.lower.backends.base import missing_tool

if TYPE_CHECKING:
    from torch import nn

__all__ = ["WEIGHTED", "GraphReader", "scopes_of"]

_Filters = NDArray[np.float64]
"""One row for each output channel, of unit length; zero for a channel without weights."""

WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
"""Kinds of operators that compute convolutions and linear layers."""

_WITHOUT_WEIGHTS = 1e-30  # shorter filters count as switched off by their batch norm


def scopes_of(content: bytes, network: nn.Module, layers: Sequence[str]) -> list[str]:
    """Scopes of the operators of `layers`, as AI Edge Quantizer names an operator.

    An operator belongs to the layer whose weights it holds: each filter is that of the layer up to
    a factor, since batch normalisation was folded in. Names in the file do not identify it: the
    operator that writes the output has lost its name, and one with shared constants has the names
    of other layers too. A layer's own padding is included.

    Args:
        content: The float file of `network`.
        network: The network, with the layers among its named modules.
        layers: Names of convolutions and linear layers.

    Raises:
        InputError: `network` has no such convolution or linear layer.
        ArtefactError: No operator holds the weights of a layer, or another layer has the same.
    """
    requested = set(layers)
    filters = _filters_of_layers(network, requested)
    reader = GraphReader(content)
    located: set[str] = set()
    kept: list[Any] = []
    for operator, rows in reader.weighted():
        holders = {name for name, known in filters.items() if _parallel(rows, known)}
        if holders & requested:
            _refuse_equal_weights(holders - requested, holders & requested)
            located |= holders
            kept.append(operator)
    _refuse_lost(requested - located)
    return [reader.scope(operator) for operator in [*reader.paddings_of(kept), *kept]]


def _filters_of_layers(network: nn.Module, layers: set[str]) -> dict[str, _Filters]:
    from torch import nn

    filters = {
        name: _unit_rows(_output_channel_rows(module.weight.detach().cpu().numpy()))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }
    for name in sorted(layers - filters.keys()):
        message = f"the network has no convolution or linear layer {name!r}"
        raise InputError(message, f"layers are, for example: {', '.join(list(filters)[:3])}")
    return filters


def _output_channel_rows(weight: NDArray[Any]) -> NDArray[Any]:
    """A convolution's or linear layer's weight with a row per output channel, channels last."""
    channels_last = np.moveaxis(weight, 1, -1)
    return channels_last.reshape(len(weight), -1)


def _unit_rows(rows: NDArray[Any]) -> _Filters:
    rows = rows.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(lengths > _WITHOUT_WEIGHTS, rows / np.maximum(lengths, _WITHOUT_WEIGHTS), 0)


def _parallel(folded: _Filters, known: _Filters) -> bool:
    """Whether the filters of an operator are those of a layer up to a factor of each."""
    if folded.shape != known.shape:
        return False
    scaled = folded.any(axis=1)
    cosines = np.abs((folded[scaled] * known[scaled]).sum(axis=1))
    return bool(scaled.any() and (cosines > 1 - 1e-6).all())


def _refuse_equal_weights(unrequested: set[str], requested: set[str]) -> None:
    if unrequested:
        message = f"{min(requested)!r} and {min(unrequested)!r} have the same weights"
        raise ArtefactError(message, "name both as float layers, or neither")


def _refuse_lost(lost: set[str]) -> None:
    if lost:
        message = f"no operator of the TensorFlow Lite file has the weights of {min(lost)!r}"
        raise ArtefactError(message, "leave this layer out of the float layers")


class GraphReader:
    """The operators of a float file's only graph.

    Attributes:
        model: The flatbuffer's object.
        operators: Operators of the graph, in their order.
        tensors: Tensors of the graph; operators name them by index.
        buffers: Contents of tensors, which name them by index.

    Raises:
        MissingDependencyError: AI Edge Quantizer is not installed.
    """

    def __init__(self, content: bytes) -> None:
        try:
            from ai_edge_quantizer.utils import tfl_flatbuffer_utils
        except ImportError as error:
            raise missing_tool(error, "quantise for TensorFlow Lite") from error
        self._flatbuffer = tfl_flatbuffer_utils
        # As the quantizer does: what was read of a large file from bytes, it cannot write again.
        self.model = tfl_flatbuffer_utils.read_model(memoryview(content))
        (graph,) = self.model.subgraphs
        self.operators: list[Any] = graph.operators
        self.tensors: list[Any] = graph.tensors
        self.buffers: list[Any] = self.model.buffers

    def weighted(self) -> Iterator[tuple[Any, _Filters]]:
        """Each operator with constant weights, and its filters."""
        for operator in self.operators:
            kind = self.kind(operator)
            weight = self.constant(operator.inputs[1]) if kind in WEIGHTED else None
            if weight is not None:
                # Depthwise filters are [1, H, W, C]; all others have their channel first.
                rows = np.moveaxis(weight, -1, 0) if kind == "DEPTHWISE_CONV_2D" else weight
                yield operator, _unit_rows(rows.reshape(len(rows), -1))

    def paddings_of(self, operators: list[Any]) -> list[Any]:
        """The padding operators whose every reader is one of `operators`."""
        others = [one for one in self.operators if all(one is not kept for kept in operators)]
        read_by_others = {int(index) for one in others for index in one.inputs}
        read = {int(index) for one in operators for index in one.inputs} - read_by_others
        return [one for one in others if self.kind(one) == "PAD" and one.outputs[0] in read]

    def scope(self, operator: Any) -> str:
        """The operator's name in AI Edge Quantizer's recipes."""
        return str(self._flatbuffer.get_op_scope(operator, self.tensors))

    def name(self, index: int) -> str:
        """The name that AI Edge Quantizer knows a tensor by."""
        return str(self._flatbuffer.get_tensor_name(self.tensors[index]))

    def kind(self, operator: Any) -> str:
        """The operator's kind, such as `CONV_2D`; empty where AI Edge Quantizer has no name."""
        code = self.model.operatorCodes[operator.opcodeIndex].builtinCode
        name = self._flatbuffer.TFL_OP_CODE_TO_NAME.get(code)
        return "" if name is None else str(name.value)

    def constant(self, index: int) -> NDArray[Any] | None:
        """The value of a tensor, if it is a constant."""
        data: NDArray[Any] | None = self._flatbuffer.get_tensor_data(
            self.tensors[index], self.buffers
        )
        return data
