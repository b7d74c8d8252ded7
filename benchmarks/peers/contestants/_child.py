"""A contestant's process: open the model, then decide on photos on request.

Nothing but sys, time and what the mode needs is imported: a cold start counts what a contestant
imports, not what this file does. Runs in environments that have no edgekd.

    python CONTESTANT.py cold   MODEL SIZE CLASSES OPTIONS PHOTO SHORTER
    python CONTESTANT.py speed  MODEL SIZE CLASSES OPTIONS PHOTO SHORTER [PHOTO SHORTER …]
    python CONTESTANT.py memory MODEL SIZE CLASSES OPTIONS PHOTO SHORTER COUNT

SHORTER is the photo's shorter side in pixels; only the floor may use it, the others read it.
"""

from __future__ import annotations

import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Decide = Callable[[str | bytes, int], str]
    """Maps a photo (a path, or encoded bytes) and its shorter side to a label."""

    Opener = Callable[["Settings"], Decide]


class Settings:
    """The settings that every contestant gets.

    Attributes:
        model: The model file, or the bundle.
        size: Side of the network's input in pixels.
        classes: Names in the order of the logits; separated by tabs on the command line.
        options: `key=0` or `key=1`, for contestants that come in several rows.
    """

    def __init__(self, model: str, size: str, classes: str, options: str) -> None:
        self.model = model
        self.size = int(size)
        self.classes = classes.split("\t")
        pairs = [text.split("=") for text in options.split(",") if text]
        self.options = {key: value == "1" for key, value in pairs}


def main(opener: Opener) -> None:
    mode, *described = sys.argv[1:6]
    modes = {"cold": _cold, "speed": _speed, "memory": _memory}
    modes[mode](opener, Settings(*described), sys.argv[6:])


def _cold(opener: Opener, settings: Settings, rest: list[str]) -> None:
    """Print the first decision on a photo on disk, and when opening the model began and ended."""
    began = time.perf_counter_ns()
    decide = opener(settings)
    opened = time.perf_counter_ns()
    label = decide(rest[0], int(rest[1]))
    sys.stdout.write(f"{label}\n")
    sys.stdout.flush()
    sys.stdout.write(f"{began} {opened}\n")


def _speed(opener: Opener, settings: Settings, rest: list[str]) -> None:
    """Run turns from lines of stdin, `FIRST END TIMED`: photos FIRST to END, each TIMED times."""
    decide = opener(settings)
    photos = [(_bytes(path), int(shorter)) for path, shorter in zip(rest[::2], rest[1::2])]  # noqa: B905
    print("ready", flush=True)
    for line in sys.stdin:
        first, end, timed = map(int, line.split())
        print(*_turn(decide, photos[first:end], timed), sep="\t", flush=True)


def _turn(decide: Decide, photos: list[tuple[bytes, int]], timed: int) -> list[object]:
    """Label and nanoseconds of each photo, after one decision on it that is not timed."""
    answers: list[object] = []
    for data, shorter in photos:
        decide(data, shorter)
        for _ in range(timed):
            begin = time.perf_counter_ns()
            label = decide(data, shorter)
            answers += [label, time.perf_counter_ns() - begin]
    return answers


def _memory(opener: Opener, settings: Settings, rest: list[str]) -> None:
    """Peak resident memory after opening and COUNT decisions, in KiB."""
    decide = opener(settings)
    data = _bytes(rest[0])
    for _ in range(int(rest[2])):
        decide(data, int(rest[1]))
    with open("/proc/self/status") as status:  # noqa: PTH123
        print(next(line.split()[1] for line in status if line.startswith("VmHWM:")))


def _bytes(path: str) -> bytes:
    with open(path, "rb") as stream:  # noqa: PTH123
        return stream.read()
