"""The student's layer sensitivity to int8, measured once and kept in the cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from edgekd.bundle import LayerSensitivity
from edgekd.data import cache_folder
from edgekd.errors import InputError
from edgekd.extensions.tasks import TASKS
from edgekd.files import pretty_json
from edgekd.lower.store import code_sha256, tool_versions
from edgekd.lower.task import evidence_task
from edgekd.recipe import fingerprint
from edgekd.seals import keep_bytes

if TYPE_CHECKING:
    from edgekd.lower.context import BuildContext
    from edgekd.lower.graph import DeployGraph
    from edgekd.lower.int8.calibration import CalibrationSet

__all__ = ["deploy_graph_of", "float_sets", "layer_sensitivity"]

RANKED_ON = 32
"""Number of calibration images: enough to find the few sensitive layers."""

_SIZES = (2, 4, 8, 16)
_LARGEST_SHARE = 0.25
_NEGLIGIBLE = 0.01

SHOWN = 8
"""Number of layers that are reported in lines; all of them stand in the manifest."""


def layer_sensitivity(context: BuildContext) -> tuple[LayerSensitivity, ...]:
    """The student's layers by their sensitivity to int8, the most sensitive first.

    Without the first layer, which stays in float anyway.

    Raises:
        InputError: The build has no calibration images.
    """
    calibration = context.calibration
    if calibration is None:
        message = "layer sensitivity cannot be measured without calibration images"
        raise InputError(message, "leave int8-mixed out, or give calibration images")
    card = context.source.card
    tools = (code_sha256(), tool_versions(), TASKS.owner(card.task))
    key = fingerprint(card, calibration.sha256, tools)[:32]

    def make() -> bytes:
        ranking = _rank(context, calibration)
        unit = evidence_task(card.task).divergence_unit
        for place, one in enumerate(ranking[:SHOWN], 1):
            context.observer.line(
                f"  {place}. {one.layer}: divergence {one.divergence:.2g} {unit}, {one.flips} of "
                f"{RANKED_ON} flip"
            )
        return pretty_json(ranking)

    raw = keep_bytes(cache_folder() / "students" / f"{key}.sensitivity.json", key, make)
    return msgspec.json.decode(raw, type=tuple[LayerSensitivity, ...])


def float_sets(ranking: Sequence[LayerSensitivity]) -> tuple[tuple[str, ...], ...]:
    """Sets of layers to leave in float, each a beginning of the ranking, the smallest first.

    They have 2, 4, 8 and 16 layers, but at most a quarter of all layers (one layer at least), and
    none whose divergence is below a hundredth of the sum of all.

    Args:
        ranking: From `layer_sensitivity`.

    Returns:
        At least one set; no two are equal.

    Raises:
        InputError: The ranking is empty.
    """
    if not ranking:
        raise InputError("there is no layer to leave in float", "the network has none for int8")
    least = _NEGLIGIBLE * sum(one.divergence for one in ranking)
    relevant = sum(one.divergence > least for one in ranking)
    limit = max(1, min(int(_LARGEST_SHARE * len(ranking)), relevant))
    layers = [one.layer for one in ranking]
    return tuple(tuple(layers[:k]) for k in sorted({min(size, limit) for size in _SIZES}))


def deploy_graph_of(context: BuildContext) -> DeployGraph:
    """The student as it is lowered."""
    from edgekd.lower.graph import deploy_graph

    card = context.source.card
    network = context.source.checkpoint.network
    return deploy_graph(
        network,
        card.mean,
        card.std,
        card.subclass_of,
        trained_in_int8=card.training.finished_in_int8,
    )


def _rank(context: BuildContext, calibration: CalibrationSet) -> tuple[LayerSensitivity, ...]:
    from edgekd.lower.int8.ranking import rank_layers
    from edgekd.lower.int8.stem import stem_of

    card, graph = context.source.card, deploy_graph_of(context)
    stem = stem_of(graph, card.image_size)
    ranking = rank_layers(
        graph, calibration.images[:RANKED_ON], task=card.task, say=context.observer.line
    )
    return tuple(one for one in ranking if one.layer != stem)
