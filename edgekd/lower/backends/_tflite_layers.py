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

__all__ = ["scopes_of"]

_Filters = NDArray[np.float64]
"""One row for each output channel, of unit length; zero for a channel without weights."""

_WEIGHTED = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
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
    reader = _Reader(content)
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


class _Reader:
    """The operators of a float file's only graph."""

    def __init__(self, content: bytes) -> None:
        try:
            from ai_edge_quantizer.utils import tfl_flatbuffer_utils
        except ImportError as error:
            raise missing_tool(error, "quantise for TensorFlow Lite") from error
        self._flatbuffer = tfl_flatbuffer_utils
        self._model = tfl_flatbuffer_utils.read_model(content)
        (self._graph,) = self._model.subgraphs

    def weighted(self) -> Iterator[tuple[Any, _Filters]]:
        """Each operator with constant weights, and its filters."""
        for operator in self._graph.operators:
            kind = self._kind(operator)
            weight = self._constant(operator.inputs[1]) if kind in _WEIGHTED else None
            if weight is not None:
                # Depthwise filters are [1, H, W, C]; all others have their channel first.
                rows = np.moveaxis(weight, -1, 0) if kind == "DEPTHWISE_CONV_2D" else weight
                yield operator, _unit_rows(rows.reshape(len(rows), -1))

    def paddings_of(self, operators: list[Any]) -> list[Any]:
        """The padding operators whose every reader is one of `operators`."""
        others = [
            one for one in self._graph.operators if all(one is not kept for kept in operators)
        ]
        read_by_others = {int(index) for one in others for index in one.inputs}
        read = {int(index) for one in operators for index in one.inputs} - read_by_others
        return [one for one in others if self._kind(one) == "PAD" and one.outputs[0] in read]

    def scope(self, operator: Any) -> str:
        """The operator's name in AI Edge Quantizer's recipes."""
        return str(self._flatbuffer.get_op_scope(operator, self._graph.tensors))

    def _kind(self, operator: Any) -> str:
        code = self._model.operatorCodes[operator.opcodeIndex].builtinCode
        name = self._flatbuffer.TFL_OP_CODE_TO_NAME.get(code)
        return "" if name is None else str(name.value)

    def _constant(self, index: int) -> NDArray[Any] | None:
        tensor = self._graph.tensors[index]
        data: NDArray[Any] | None = self._flatbuffer.get_tensor_data(tensor, self._model.buffers)
        return data
