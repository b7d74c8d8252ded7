"""The check of the losses, and the two timed passes, in which the contestants take turns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from child import Child
from environments import UnavailableError
from passes import in_turn
from training_contest import Player
from training_gpu import Usage

from edgekd.cli.console import say
from edgekd.errors import EdgekdError

__all__ = ["QUICK", "TOLERANCE", "Checked", "Effort", "Times", "agreeing", "check", "timed_pass"]

Times = dict[str, list[list[dict[str, float]]]]
"""What a contestant answered, by name, round and turn."""

TOLERANCE = {"fp32": 1e-4, "bf16": 5e-2}
"""Largest relative difference between a contestant's loss and edgekd's in fp32."""
_CHECKED = 3


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        rounds: Fresh processes of every contestant.
        turns: Epochs of each contestant in a round, after one that is not timed.
    """

    rounds: int = 3
    turns: int = 2


QUICK = Effort(rounds=1, turns=1)


@dataclass(frozen=True)
class Checked:
    """The losses of a contestant's first batches.

    Attributes:
        losses: One for each batch; a step of the optimiser, at a low rate, is between them.
        difference: Largest relative difference from the reference.
        tolerance: The largest that is accepted.
    """

    losses: list[float]
    difference: float
    tolerance: float

    @property
    def equal(self) -> bool:
        """Whether the contestant computes the same loss."""
        return self.difference <= self.tolerance


def check(players: Sequence[Player]) -> tuple[dict[str, Checked], dict[str, str]]:
    """The losses of each contestant on the same first batches, and who cannot compute them.

    edgekd in fp32 draws the batches and is the reference.

    Raises:
        EdgekdError: edgekd does not train.
    """
    say("comparing the losses of the first batches")
    reference = next(one for one in players if one.row.name == "edgekd fp32")
    try:
        first = _answer(reference, [[]] * _CHECKED)
    except UnavailableError as error:
        raise EdgekdError(
            f"edgekd does not train: {error.message}", "see what it prints"
        ) from error
    found, reasons = {}, {}
    for player in players:
        try:
            losses = first["losses"]
            if player is not reference:
                losses = _answer(player, first["batches"])["losses"]
            precision = "bf16" if player.row.needs_bf16 else "fp32"
            found[player.row.name] = agreeing(losses, first["losses"], precision)
        except UnavailableError as error:
            reasons[player.row.name] = error.message
    unequal = {name: _refusal(one) for name, one in found.items() if not one.equal}
    return found, reasons | unequal


def agreeing(losses: Sequence[float], reference: Sequence[float], precision: str) -> Checked:
    """The largest relative difference of losses from the reference's."""
    pairs = zip(losses, reference, strict=True)
    difference = max(abs(one - other) / abs(other) for one, other in pairs)
    return Checked(list(losses), difference, TOLERANCE[precision])


def _refusal(checked: Checked) -> str:
    return (
        f"its loss differs from edgekd's by {checked.difference:.2%}, more than "
        f"{checked.tolerance:.2%}"
    )


def _answer(player: Player, batches: Sequence[Sequence[int]]) -> dict[str, Any]:
    with player.start("check", batches=batches) as child:
        return dict(json.loads(child.answer()))


def timed_pass(
    mode: str, players: Sequence[Player], effort: Effort
) -> tuple[Times, dict[str, list[dict[str, float]]]]:
    """The epochs of every contestant, and what it answered before them, by round.

    Args:
        mode: `step` or `epoch`.
        players: The contestants.
        effort: Rounds and turns.
    """
    times: Times = {player.row.name: [] for player in players}
    before: dict[str, list[dict[str, float]]] = {player.row.name: [] for player in players}
    by_name = {player.row.name: player for player in players}
    for round_ in range(effort.rounds):
        say(f"{mode}: round {round_ + 1} of {effort.rounds}")
        with ExitStack() as stack:
            children = {}
            for name in in_turn(list(by_name), round_):
                child = by_name[name].start(mode, epochs=effort.turns + 1)
                children[name] = stack.enter_context(child)
                answer = json.loads(child.answer())
                before[name].append(answer if isinstance(answer, dict) else {})
                child.ask("")  # the first epoch is not timed
                times[name].append([])
            for turn in range(effort.turns):
                for name in in_turn(list(by_name), turn + round_):
                    times[name][-1].append(_epoch(children[name], by_name[name]))
    return times, before


def _epoch(child: Child, player: Player) -> dict[str, float]:
    if player.machine.device == "cpu":
        return dict(json.loads(child.ask("")))
    with Usage() as usage:
        answer: Mapping[str, float] = json.loads(child.ask(""))
    return {**answer, **usage.idle()}
