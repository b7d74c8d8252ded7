"""The sensitivity of each layer to int8.

A layer's sensitivity is the divergence of the outputs when that layer alone is in simulated int8.
The alternative, the gain when that layer alone is in float (the ranking of NNCF's accuracy
control), was tried on an ImageNet MobileNetV2 at 224 px: intact, and with outlier channels planted
before one layer and before three. The first k layers of a ranking were left in float (k = 1, 2, 4,
8, 13), all others were in int8. On unseen images the KL divergence was as low or lower by the first
ranking in 9 of 10 cases for the intact and the once damaged network (k = 13: 0.0029 against
0.0049), and at k = 2 with three damaged layers (0.016 against 0.025): beside a layer that int8
spoils, the gains of the others are mostly noise. The first ranking also costs half as much.

Biases make up for the mean error of rounded weights here as in the files, unless the weights were
trained in int8: without that a layer would be kept in float for an error that no file has.

Layers are sorted by the task's divergence rather than by the error of the outputs, because
decisions are made from probabilities; for classification both orders did about equally well.
"""

from __future__ import annotations

import copy
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekd.bundle import LayerSensitivity
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK
from edgekd.lower.graph import DeployGraph
from edgekd.lower.int8.ranges import observe_ranges
from edgekd.lower.task import evidence_task
from edgekd.models.simulated_int8 import (
    Forward,
    Range,
    forwards_replaced,
    quantisable_layers,
    quantised_forward,
    weight_quantised_forward,
)
from edgekd.runtime.task import device_task

__all__ = ["rank_layers"]


def rank_layers(
    graph: DeployGraph,
    images: NDArray[np.uint8],
    *,
    say: Callable[[str], None],
    task: str = DEFAULT_TASK,
    ranges: Mapping[str, Range] | None = None,
    batch_size: int = 8,
) -> tuple[LayerSensitivity, ...]:
    """Every layer's sensitivity, the most sensitive first.

    Args:
        graph: The student, in eval mode; it stays as it is.
        images: uint8 [N, S, S, 3]; 32 of all classes are enough to find the few sensitive layers.
        say: Takes one line of progress.
        task: Name of the task, which defines the divergence and flips.
        ranges: Ranges of the layers' inputs, from `observe_ranges`; None observes them on `images`.
        batch_size: Images at once. The outputs of all layers for a batch are kept meanwhile:
            for MobileNetV2 at 224 px about 50 MB an image.

    Raises:
        InputError: There are no images.
    """
    if len(images) == 0:
        raise InputError("there are no images to rank layers on", "give some of each class")
    start = time.perf_counter()
    ranges = observe_ranges(graph, images) if ranges is None else ranges
    say(f"measuring the sensitivity of {len(ranges)} layers to int8 on {len(images)} images")
    outputs: dict[str, list[Tensor]] = defaultdict(list)
    batches = [
        torch.from_numpy(np.array(images[first : first + batch_size]))
        for first in range(0, len(images), batch_size)
    ]
    with torch.no_grad():
        shifts = {} if graph.trained_in_int8 else _mean_errors(graph, batches, ranges)
        for batch in batches:
            for layer, part in _outputs_by_layer(graph, batch, ranges, shifts):
                outputs[layer].append(part)
    joined = {layer: torch.cat(parts) for layer, parts in outputs.items()}
    plain = joined.pop("")
    ranking = [_sensitivity(task, layer, plain, changed) for layer, changed in joined.items()]
    # Stable, so that equals stay in the order of computation.
    ranking.sort(key=lambda one: -one.divergence)
    most = ranking[0]
    seconds = time.perf_counter() - start
    say(
        f"most sensitive: {most.layer}, divergence {most.divergence:.2g} "
        f"{evidence_task(task).divergence_unit} (measured in {seconds:.1f} s)"
    )
    return tuple(ranking)


def _sensitivity(task: str, layer: str, plain: Tensor, changed: Tensor) -> LayerSensitivity:
    outputs = plain.numpy(), changed.numpy()
    return LayerSensitivity(
        layer=layer,
        divergence=float(evidence_task(task).divergence(*outputs).mean()),
        flips=int((~device_task(task).agree(*outputs)).sum()),
    )


def _mean_errors(
    graph: DeployGraph, batches: Sequence[Tensor], layers: Collection[str]
) -> dict[str, Tensor]:
    """What rounding the weights of each layer adds to its mean output, by channel [O]."""
    errors: dict[str, list[Tensor]] = {name: [] for name in layers}
    forwards = {
        name: _recording_error(graph.network.get_submodule(name), collected)
        for name, collected in errors.items()
    }
    with forwards_replaced(graph.network, forwards):
        for batch in batches:
            graph(batch)
    return {name: torch.cat(collected).mean(0) for name, collected in errors.items()}


def _recording_error(layer: nn.Module, collected: list[Tensor]) -> Forward:
    plain: Forward = layer.forward
    rounded = weight_quantised_forward(layer)

    def forward(features: Tensor) -> Tensor:
        mean = features.mean(0, keepdim=True)  # enough, because the error is linear in the inputs
        error = (rounded(mean) - plain(mean)).movedim(_channel_axis(layer), -1).flatten(0, -2)
        collected.append(error.mean(0).expand(len(features), -1))
        outputs: Tensor = plain(features)
        return outputs

    return forward


def _corrected(layer: nn.Module, changed: Forward, shift: Tensor) -> Forward:
    """`changed` less what it adds to the mean of each channel."""

    def forward(features: Tensor) -> Tensor:
        outputs: Tensor = changed(features).movedim(_channel_axis(layer), -1) - shift
        return outputs.movedim(-1, _channel_axis(layer))

    return forward


def _channel_axis(layer: nn.Module) -> int:
    return -1 if isinstance(layer, nn.Linear) else 1


def _outputs_by_layer(
    graph: DeployGraph, batch: Tensor, ranges: Mapping[str, Range], shifts: Mapping[str, Tensor]
) -> Iterator[tuple[str, Tensor]]:
    """The float outputs under the name "", then those with each layer of `ranges` in int8."""
    inputs = graph.normalise(batch)
    layers = {name: graph.network.get_submodule(name) for name in ranges}
    replay = _Replay(graph.network)
    yield "", graph.class_logits(replay.record(inputs))
    for name, layer in layers.items():
        changed = quantised_forward(layer, ranges[name])
        if name in shifts:
            changed = _corrected(layer, changed, shifts[name])
        outputs = replay.run(inputs, layer, changed)
        yield name, graph.class_logits(outputs)


class _Replay:
    """Runs a network with one layer changed, without what comes before that layer.

    Up to that layer nothing differs from the float pass, so each module before it that does not
    contain it returns its recorded output: whole stages, and single layers of the layer's stage.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._pieces = _pieces(network)
        self._held = {name: set(piece.modules()) for name, piece in self._pieces.items()}
        self._outputs: dict[str, list[Any]] = defaultdict(list)

    def record(self, inputs: Tensor) -> Tensor:
        """The float outputs of the network; those of its layers are kept."""
        forwards = {name: self._recording(name) for name in self._pieces}
        with forwards_replaced(self._network, forwards):
            outputs: Tensor = self._network(inputs)
        return outputs

    def run(self, inputs: Tensor, layer: nn.Module, changed: Forward) -> Tensor:
        """The outputs of the network where `layer` computes `changed`."""
        reached: list[bool] = []
        calls: Counter[str] = Counter()
        forwards: dict[str, Forward] = {}
        for name, piece in self._pieces.items():
            if piece is layer:
                forwards[name] = _marking(changed, reached)
            elif layer not in self._held[name]:
                forwards[name] = self._replaying(name, reached, calls)
        with forwards_replaced(self._network, forwards):
            outputs: Tensor = self._network(inputs)
        return outputs

    def _recording(self, name: str) -> Forward:
        plain: Forward = self._pieces[name].forward

        def forward(*args: Any, **options: Any) -> Any:
            output = plain(*args, **options)
            # A copy, here and below: an activation in place would change what is kept.
            self._outputs[name].append(copy.deepcopy(output))
            return output

        return forward

    def _replaying(self, name: str, reached: list[bool], calls: Counter[str]) -> Forward:
        plain: Forward = self._pieces[name].forward

        def forward(*args: Any, **options: Any) -> Any:
            if reached:
                return plain(*args, **options)
            calls[name] += 1
            return copy.deepcopy(self._outputs[name][calls[name] - 1])

        return forward


def _marking(changed: Forward, reached: list[bool]) -> Forward:
    def forward(features: Tensor) -> Tensor:
        reached.append(True)
        outputs: Tensor = changed(features)
        return outputs

    return forward


def _pieces(network: nn.Module) -> dict[str, nn.Module]:
    """The children of every module that holds a layer, and so the layers themselves."""
    layers = set(quantisable_layers(network).values())
    return {
        f"{parent}.{child}".lstrip("."): piece
        for parent, module in network.named_modules()
        if module not in layers and layers & set(module.modules())
        for child, piece in module.named_children()
    }
