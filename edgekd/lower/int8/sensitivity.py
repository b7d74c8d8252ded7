"""What int8 does to the student's layers, and what is done about it: measured once, then kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from edgekd.bundle import LayerSensitivity
from edgekd.data import cache_folder
from edgekd.files import pretty_json
from edgekd.lower.store import code_sha256, tool_versions
from edgekd.recipe import fingerprint
from edgekd.seals import keep_bytes

if TYPE_CHECKING:
    from edgekd.lower.candidate import Lowering
    from edgekd.lower.graph import DeployGraph

__all__ = ["float_sets", "layer_sensitivity"]

RANKED_ON = 32
"""Calibration images, classes in turn: enough to find the few bad layers."""

SHOWN = 8
"""Lines of the ranking that are told; all of it stands in the manifest."""


def layer_sensitivity(lowering: Lowering) -> tuple[LayerSensitivity, ...]:
    """The student's layers by the harm that int8 does to each alone, most harmed first.

    Without the first layer, which stays in float anyway. Needs calibration images; the answer is
    kept in the cache.
    """
    assert lowering.calibration is not None
    card = lowering.source.card
    tools = (code_sha256(), tool_versions())
    key = fingerprint(card, lowering.calibration.sha256, tools)[:32]

    def make() -> bytes:
        ranking = _rank(lowering)
        for place, one in enumerate(ranking[:SHOWN], 1):
            lowering.watch.line(
                f"  {place}. {one.layer}: KL {one.divergence:.2g}, {one.flips} of {RANKED_ON} flip"
            )
        return pretty_json(ranking)

    found = keep_bytes(cache_folder() / "students" / f"{key}.harm.json", key, make)
    return msgspec.json.decode(found, type=tuple[LayerSensitivity, ...])


def float_sets(harm: Sequence[LayerSensitivity]) -> tuple[tuple[str, ...], ...]:
    """Sets of layers to leave in float, the most harmed first, growing.

    They end at a quarter of the layers, and where further layers are not harmed to speak of.
    """
    from edgekd.lower.int8.influence import LayerInfluence, candidates

    ranking = [
        LayerInfluence(layer=one.layer, kl=one.divergence, flips=one.flips, relative_error=0.0)
        for one in harm
    ]
    return candidates(ranking)


def deploy_graph_of(lowering: Lowering) -> DeployGraph:
    """The student as it is lowered."""
    from edgekd.lower.graph import deploy_graph

    card = lowering.source.card
    network = lowering.source.checkpoint.network
    return deploy_graph(network, card.mean, card.std, card.subclass_of)


def _rank(lowering: Lowering) -> tuple[LayerSensitivity, ...]:
    from edgekd.lower.int8.influence import rank_layers
    from edgekd.lower.int8.stem import stem_of

    assert lowering.calibration is not None
    images, graph = lowering.calibration.images[:RANKED_ON], deploy_graph_of(lowering)
    stem = stem_of(graph, lowering.source.card.image_size)
    return tuple(
        LayerSensitivity(layer=one.layer, divergence=one.kl, flips=one.flips)
        for one in rank_layers(graph, images, say=lowering.watch.line)
        if one.layer != stem
    )
