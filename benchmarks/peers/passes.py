"""The three passes. In each the contestants take turns, so that a slow minute hits them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

from contest import Player
from photos import Photo

from edgekd.cli.console import say

__all__ = ["QUICK", "THOROUGH", "Effort", "cold_pass", "in_turn", "memory_pass", "speed_pass"]

Value = TypeVar("Value")
Photos = dict[str, list[Photo]]
Series = dict[str, list[list[float]]]
"""Milliseconds by contestant, round and turn."""


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        photos: Different photos of each size.
        rounds: Fresh processes of every contestant, one after the other.
        turns: Turns of each contestant in a round, for each size.
        timed: Timed decisions on a photo in a turn, by size; one before them is not timed.
        cold: Number of cold starts.
        memory: Processes whose peak memory is read.
        decisions: Decisions before the peak is read.
    """

    photos: int
    rounds: int
    turns: int
    timed: tuple[int, int, int]
    cold: int
    memory: int
    decisions: int


THOROUGH = Effort(
    photos=3, rounds=5, turns=9, timed=(5, 2, 2), cold=11, memory=3, decisions=8
)  # fmt: skip
QUICK = Effort(photos=2, rounds=2, turns=2, timed=(3, 1, 1), cold=3, memory=1, decisions=3)


def speed_pass(
    players: Sequence[Player], photos: Photos, effort: Effort
) -> tuple[dict[str, Series], dict[str, dict[str, list[str]]]]:
    """Milliseconds of a decision by size, contestant, round and turn; and the labels by photo.

    A turn is one photo of one size; all contestants decide on it before the next turn
    begins, and its value is the median of the turn's timed decisions.
    """
    times: dict[str, Series] = {
        size: {player.row.name: [] for player in players} for size in photos
    }
    labels: dict[str, dict[str, list[str]]] = {
        size: {player.row.name: [""] * effort.photos for player in players} for size in photos
    }
    for round_ in range(effort.rounds):
        say(f"speed: round {round_ + 1} of {effort.rounds}")
        with ExitStack() as stack:
            table = {player.row.name: _Seat(player, photos, stack) for player in players}
            for size in photos:
                for name in table:
                    times[size][name].append([])
            for size, photo, name in _turns(list(table), photos, effort, round_):
                timed = effort.timed[list(photos).index(size)]
                label, value = table[name].turn(size, photo, timed)
                times[size][name][-1].append(value)
                labels[size][name][photo] = label
    return times, labels


def _turns(
    names: list[str], photos: Photos, effort: Effort, round_: int
) -> Iterator[tuple[str, int, str]]:
    """Size, photo and contestant of every turn; another contestant begins each."""
    for turn in range(effort.turns):
        for size in photos:
            for name in in_turn(names, turn + round_):
                yield size, turn % effort.photos, name


def in_turn(names: list[str], step: int) -> list[str]:
    """The names rotated, and every second time reversed, so that predecessors change."""
    start = (step // 2) % len(names)
    rotated = names[start:] + names[:start]
    return rotated[::-1] if step % 2 else rotated


class _Seat:
    """A contestant's process of the speed pass."""

    def __init__(self, player: Player, photos: Photos, stack: ExitStack) -> None:
        every = [photo for of_size in photos.values() for photo in of_size]
        arguments = [text for photo in every for text in (str(photo.path), str(photo.shorter))]
        self._child = stack.enter_context(player.start("speed", *arguments))
        self._first = {size: every.index(of_size[0]) for size, of_size in photos.items()}
        self._child.answer()

    def turn(self, size: str, photo: int, timed: int) -> tuple[str, float]:
        """Label, and median milliseconds."""
        at = self._first[size] + photo
        words = self._child.ask(f"{at} {at + 1} {timed}").split("\t")
        times = sorted(int(word) for word in words[1::2])
        middle = len(times) // 2
        return words[0], (times[middle] + times[-1 - middle]) / 2e6


def cold_pass(
    players: Sequence[Player], photos: Photos, effort: Effort
) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Cold starts by size and contestant: total and steps, in milliseconds.

    The page cache is warm: every contestant was started once before.
    """
    sizes = list(photos)[:2]
    return {
        size: _taking_turns(
            f"cold start, {size}", players, effort.cold,
            lambda player, size=size: player.cold_start(photos[size][0]),
        )
        for size in sizes
    }  # fmt: skip


def memory_pass(
    players: Sequence[Player], photos: Photos, effort: Effort
) -> dict[str, dict[str, list[int]]]:
    """Peak resident memory in bytes by size and contestant, each in a process of its own."""
    return {
        size: _taking_turns(
            f"memory, {size}", players, effort.memory,
            lambda player, size=size: player.memory(photos[size][0], effort.decisions),
        )
        for size in photos
    }  # fmt: skip


def _taking_turns(
    title: str, players: Sequence[Player], runs: int, measure: Callable[[Player], Value]
) -> dict[str, list[Value]]:
    say(f"{title}: {runs} × {len(players)} processes")
    found: dict[str, list[Value]] = {player.row.name: [] for player in players}
    by_name = {player.row.name: player for player in players}
    for run in range(runs):
        for name in in_turn(list(by_name), run):
            found[name].append(measure(by_name[name]))
    return found
