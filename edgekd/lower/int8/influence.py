"""Which layers int8 harms most, and which few of them to leave in float.

A layer's influence is what the logits lose when it alone is in simulated int8. The other way,
what they gain when it alone is in float (so ranks NNCF's accuracy control), was tried on an
ImageNet MobileNetV2 at 224 px, intact and with outlier channels planted before one layer and
before three. With the first k layers in float, k = 1, 2, 4, 8, 13, and all others in int8, the
KL divergence on unseen images was as low or lower by the first way in 9 of 10 cases for an intact
and a once damaged network (k = 13: 0.0029 against 0.0049), and at k = 2 with three damaged layers
(0.016 against 0.025): beside a badly harmed layer the gains of the others are mostly its noise.
It costs half as much, too. Sorted by the divergence rather than by the logits' error, because
decisions are made of probabilities; the two orders did about equally well.
"""

from __future__ import annotations

import copy
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgekd.errors import InputError
from edgekd.lower.graph import DeployGraph
from edgekd.lower.int8.simulate import (
    Forward,
    Range,
    forwards_replaced,
    observe_ranges,
    quantisable_layers,
    quantised_forward,
)

__all__ = ["LayerInfluence", "candidates", "rank_layers"]

_NEGLIGIBLE = 0.01  # of the sum of all layers' divergences


class LayerInfluence(msgspec.Struct, frozen=True, kw_only=True):
    """What the logits lose when this layer alone is in int8.

    Attributes:
        layer: Its name in the student's network.
        kl: Mean KL(softmax of float ‖ softmax of int8), in nats.
        flips: Number of images whose top class changes.
        relative_error: Σ‖int8 − float‖² / Σ‖float‖² over the logits of all images.
    """

    layer: str
    kl: float
    flips: int
    relative_error: float


def rank_layers(
    graph: DeployGraph,
    images: NDArray[np.uint8],
    *,
    say: Callable[[str], None],
    ranges: Mapping[str, Range] | None = None,
    batch_size: int = 8,
) -> tuple[LayerInfluence, ...]:
    """Every layer's influence, the most harmful first.

    Args:
        graph: In eval mode; it stays as it is.
        images: uint8 [N, S, S, 3]; 32 of all classes are enough to find the few bad layers.
        say: Takes one line of progress.
        ranges: Of the layers' inputs, from `observe_ranges`; None: observed on `images`.
        batch_size: Images at once. The outputs of all layers for a batch are kept meanwhile:
            for MobileNetV2 at 224 px about 50 MB an image.

    Raises:
        InputError: There are no images.
    """
    if len(images) == 0:
        raise InputError("there are no images to rank layers on", "give some of each class")
    start = time.perf_counter()
    ranges = observe_ranges(graph, images) if ranges is None else ranges
    say(f"ranking {len(ranges)} layers by what int8 does to them on {len(images)} images")
    logits: dict[str, list[Tensor]] = defaultdict(list)
    with torch.no_grad():
        for first in range(0, len(images), batch_size):
            batch = torch.from_numpy(np.array(images[first : first + batch_size]))
            for layer, part in _logits_by_layer(graph, batch, ranges):
                logits[layer].append(part)
    joined = {layer: torch.cat(parts) for layer, parts in logits.items()}
    plain = joined.pop("")
    ranking = [_influence(layer, plain, changed) for layer, changed in joined.items()]
    # Stable, so that equals stay in the order of computation.
    ranking.sort(key=lambda found: -found.kl)
    worst = ranking[0]
    seconds = time.perf_counter() - start
    say(f"most harmful: {worst.layer}, KL {worst.kl:.2g} (ranked in {seconds:.1f} s)")
    return tuple(ranking)


def candidates(
    ranking: Sequence[LayerInfluence],
    *,
    sizes: Sequence[int] = (2, 4, 8, 16),
    share: float = 0.25,
    negligible: float = _NEGLIGIBLE,
) -> tuple[tuple[str, ...], ...]:
    """Sets of layers to leave in float, each a beginning of the ranking, the smallest first.

    Args:
        ranking: From `rank_layers`.
        sizes: How many layers, growing.
        share: Of all layers, that a set may hold at most (but one layer always may).
        negligible: Layers below this share of the sum of all divergences are in no set.

    Returns:
        At least one set; no two are equal.

    Raises:
        InputError: The ranking is empty.
    """
    if not ranking:
        raise InputError("there is no layer to leave in float", "the network has none for int8")
    least = negligible * sum(found.kl for found in ranking)
    matter = [found.layer for found in ranking if found.kl > least]
    limit = max(1, min(int(share * len(ranking)), len(matter)))
    layers = [found.layer for found in ranking]
    return tuple(tuple(layers[:k]) for k in sorted({min(size, limit) for size in sizes}))


def _influence(layer: str, plain: Tensor, changed: Tensor) -> LayerInfluence:
    plain, changed = plain.double(), changed.double()
    log_p, log_q = plain.log_softmax(dim=1), changed.log_softmax(dim=1)
    error = (changed - plain).square().sum() / plain.square().sum().clamp_min(1e-12)
    return LayerInfluence(
        layer=layer,
        kl=float((log_p.exp() * (log_p - log_q)).sum(dim=1).mean()),
        flips=int((plain.argmax(dim=1) != changed.argmax(dim=1)).sum()),
        relative_error=float(error),
    )


def _logits_by_layer(
    graph: DeployGraph, batch: Tensor, ranges: Mapping[str, Range]
) -> Iterator[tuple[str, Tensor]]:
    """The float logits under the name "", then those with each layer of `ranges` in int8."""
    inputs = graph.normalise(batch)
    layers = {name: graph.network.get_submodule(name) for name in ranges}
    replay = _Replay(graph.network)
    yield "", graph.class_logits(replay.record(inputs))
    for name, layer in layers.items():
        outputs = replay.run(inputs, layer, quantised_forward(layer, ranges[name]))
        yield name, graph.class_logits(outputs)


class _Replay:
    """Runs a network with one layer changed, without what comes before that layer.

    Up to the layer nothing differs from the float pass, so each module that does not hold the
    layer gives its output of then: whole stages at the top, single layers beside the changed one.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network
        self._pieces = _pieces(network)
        self._held = {name: set(piece.modules()) for name, piece in self._pieces.items()}
        self._outputs: dict[str, list[Any]] = defaultdict(list)

    def record(self, inputs: Tensor) -> Tensor:
        """The float logits; outputs on the way are kept."""
        forwards = {name: self._recording(name) for name in self._pieces}
        with forwards_replaced(self._network, forwards):
            logits: Tensor = self._network(inputs)
        return logits

    def run(self, inputs: Tensor, layer: nn.Module, changed: Forward) -> Tensor:
        """The logits when `layer` computes `changed`."""
        reached: list[bool] = []
        calls: Counter[str] = Counter()
        forwards: dict[str, Forward] = {}
        for name, piece in self._pieces.items():
            if piece is layer:
                forwards[name] = _marking(changed, reached)
            elif layer not in self._held[name]:
                forwards[name] = self._replaying(name, reached, calls)
        with forwards_replaced(self._network, forwards):
            logits: Tensor = self._network(inputs)
        return logits

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
