"""`edgekd eval --episodes`: few-shot episodes over classes that a checkpoint never learnt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekd.cli.console import emit_json, say
from edgekd.cli.places import STDOUT
from edgekd.errors import InputError
from edgekd.extensions.tasks import DEFAULT_TASK

if TYPE_CHECKING:
    from edgekd.evaluation.episodes import EpisodeResult
    from edgekd.metrics.few_shot import EpisodeProtocol

__all__ = ["evaluate_episodes", "protocol_of"]

_FORM = "write --episodes 5x1 for five classes of one image each, or 5x1x600 for 600 episodes"


def protocol_of(text: str) -> EpisodeProtocol:
    """The protocol of WAYSxSHOTS or WAYSxSHOTSxCOUNT.

    Raises:
        InputError: The text is not of this form.
    """
    from edgekd.metrics.few_shot import EpisodeProtocol

    numbers = text.lower().split("x")
    if not 2 <= len(numbers) <= 3 or not all(one.isascii() and one.isdigit() for one in numbers):
        raise InputError(f"--episodes {text} is not of the form WAYSxSHOTS", _FORM)
    ways, shots, *count = map(int, numbers)
    return EpisodeProtocol(ways=ways, shots=shots, **({"count": count[0]} if count else {}))


def evaluate_episodes(
    models: Sequence[Path], table: dict[str, Any], protocol: EpisodeProtocol, json: Path | None
) -> None:
    """Print the mean accuracy of each checkpoint over episodes, and write it as JSON.

    Args:
        models: Checkpoints' folders.
        table: Keys of the data source `csv`.
        protocol: How episodes are drawn.
        json: File for the results; None writes none.

    Raises:
        EdgekdError: See `edgekd.evaluation.episodes.run_episodes`.
    """
    from edgekd.data import load_dataset
    from edgekd.evaluation.episodes import run_episodes

    dataset = load_dataset({"source": "csv", **table}, DEFAULT_TASK)
    results = [run_episodes(model, dataset, protocol) for model in models]
    if json is not None:
        emit_json([_summary(one) for one in results], None if json == STDOUT else json)
    for one in results:
        if one.left_out:
            say(f"{one.model}: left out {one.left_out} images of classes that it learnt")
        if json != STDOUT:
            print(_line(one))


def _line(result: EpisodeResult) -> str:
    protocol, accuracy = result.protocol, result.accuracy
    return (
        f"{result.model}: {100 * (accuracy.value or 0.0):.1f} % "
        f"[{100 * (accuracy.low or 0.0):.1f}, {100 * (accuracy.high or 0.0):.1f}] right, "
        f"{protocol.ways} ways, {protocol.shots} shots, {protocol.count} episodes over "
        f"{', '.join(result.classes)}"
    )


def _summary(result: EpisodeResult) -> dict[str, Any]:
    protocol = result.protocol
    return {
        "model": str(result.model),
        "ways": protocol.ways,
        "shots": protocol.shots,
        "queries": protocol.queries,
        "episodes": protocol.count,
        "seed": protocol.seed,
        "classes": result.classes,
        "left_out": result.left_out,
        "accuracy": result.accuracy._asdict(),
    }
