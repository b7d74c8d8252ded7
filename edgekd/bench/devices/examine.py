"""Checks of a board before anything is measured on it, for `edgekd doctor --device`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from edgekd.bench.devices.probe import (
    BASE,
    BoardFacts,
    ask_board,
    engine_of,
    throttling_in_words,
)
from edgekd.bench.devices.store import Store
from edgekd.bench.devices.transport import Transport, quoted_path
from edgekd.bench.devices.wheels import choose_wheels, first_of, read_wheelhouse
from edgekd.extensions.backends import Requirement
from edgekd.targets import load_target

__all__ = ["Observation", "examine_board", "examine_phone"]

_HOT = 70.0
"""Degrees Celsius: ten below where a Raspberry Pi begins to slow down."""
_LITTLE_MEMORY, _LITTLE_DISK = 256 << 20, 200 << 20
_IMPORT_SECONDS = 120.0


@dataclass(frozen=True)
class Observation:
    """One result of the examination.

    Attributes:
        what: Name of what was examined.
        works: Whether it is as it should be.
        needed: Whether nothing can be measured until it works.
        detail: Its state, and what to do where it is wrong.
    """

    subject: str
    works: bool
    needed: bool
    detail: str


def examine_board(
    transport: Transport, python: str, folder: str, target: str, wheelhouse: Path | None = None
) -> tuple[list[Observation], dict[str, Any]]:
    """Check a board; apart from making the empty folder, nothing is changed there.

    Args:
        transport: The connection.
        python: Command of its Python.
        folder: A folder that edgekd may write to there.
        target: The target whose bundles are to run there.
        wheelhouse: Wheels for packages that it lacks.

    Returns:
        The observations, and the facts that they are based on.

    Raises:
        DeviceUnreachableError: It does not answer.
        DeviceLacksError: It has no Python that can run edgekd.
    """
    board = ask_board(transport, python)
    free = Store(transport, folder).free_bytes()
    seen = [
        Observation("reach it", True, True, f"by {transport.name}: {_title(board)}"),
        Observation("Python", True, True, f"{'.'.join(map(str, board.python))} ({python})"),
        *_packages(transport, python, board, target, wheelhouse),
        _memory(board),
        _disk(free, folder),
        *_state(board),
    ]
    facts = msgspec.to_builtins(board) | {"disk_free_bytes": free, "emulated": board.emulated}
    return seen, facts


def examine_phone(
    transport: Transport, benchmark_model: str | None, *, is_local: bool = False
) -> tuple[list[Observation], dict[str, Any]]:
    """Examine a phone without a Python.

    Args:
        transport: The link.
        benchmark_model: Path of LiteRT's program, or None.
        is_local: Whether the program is on this machine, to be copied to the phone.

    Raises:
        DeviceUnreachableError: It does not answer.
    """
    from edgekd.bench.devices.android import android_facts

    facts = android_facts(transport)
    named = f"by {transport.name}: {facts.get('model', 'a phone without a name')}"
    seen = [
        Observation("reach it", True, True, named),
        _runner(transport, benchmark_model, is_local),
    ]
    if zones := facts.get("temperatures_c"):
        seen.append(_temperature(zones))
    return seen, facts


def _runner(transport: Transport, program: str | None, is_local: bool) -> Observation:
    if program is None:
        nothing = "it has no Python, so nothing can run there: set `benchmark_model` or `python`"
        return Observation("runner", False, True, nothing)
    if is_local:
        there = Path(program).is_file()
        missing = f"there is no {program} on this machine"
    else:
        there = transport.run(f"test -x {shlex.quote(program)}").code == 0
        missing = f"there is no {program} on the phone that can be run; or set push = true"
    return Observation(
        "runner", there, True, f"models are timed by {program}" if there else missing
    )


def _title(board: BoardFacts) -> str:
    named = board.model or board.stand_in or "a board without a name"
    return f"{named}, {board.machine}"


def _packages(
    transport: Transport, python: str, board: BoardFacts, target: str, wheelhouse: Path | None
) -> list[Observation]:
    """Import each package: a wheel for another processor is found, but fails to load."""
    engine = engine_of(load_target(target).backend)
    needs = (*BASE, *([engine] if engine else []))
    missing = board.lacks(needs)
    seen = [
        _imported(transport, python, need) for need in needs if need not in missing
    ]  # a package that is there has to work, too
    if missing:
        seen.append(_wheels(missing, board, python, wheelhouse))
    return seen


def _imported(transport: Transport, python: str, need: Requirement) -> Observation:
    code = (
        "import importlib, sys; e = None\n"
        f"for name in {need.modules!r}:\n"
        "    try:\n"
        "        m = importlib.import_module(name); e = None; break\n"
        "    except ModuleNotFoundError as error: e = error\n"
        "if e: raise e\n"
        "top = m.__name__.split('.')[0]\n"
        "print(top, getattr(sys.modules[top], '__version__', ''))\n"
    )
    command = f"ORT_DISABLE_TELEMETRY=1 {quoted_path(python)} -"
    done = transport.run(command, stdin=code.encode(), timeout=_IMPORT_SECONDS)
    words = done.stdout.decode(errors="replace").strip() if done.code == 0 else done.last_line
    name = need.distributions[0]
    if done.code == 0:
        return Observation(f"import {name}", True, True, words)
    return Observation(f"import {name}", False, True, f"{words}; install it again there")


def _wheels(
    missing: list[Requirement], board: BoardFacts, python: str, wheelhouse: Path | None
) -> Observation:
    names = [need.distributions[0] for need in missing]
    subject = f"packages {', '.join(names)}"
    if wheelhouse is None:
        by_hand = f"{python} -m pip install {' '.join(names)}"
        detail = f"not there: {by_hand}; or give a folder of wheels with --wheelhouse"
        return Observation(subject, False, True, detail)
    wheels = read_wheelhouse(wheelhouse)
    chosen, foreign = choose_wheels(wheels, [first_of(need, wheels) for need in missing], board)
    there = {wheel.name for wheel in chosen}
    left = [need.distributions[0] for need in missing if not there & set(need.distributions)]
    if left:
        why = " (for another Python or processor)" if foreign else ""
        return Observation(subject, False, True, f"no fitting wheel of {', '.join(left)}{why}")
    return Observation(subject, True, True, f"not there; they come from {wheelhouse}")


def _memory(board: BoardFacts) -> Observation:
    free, total = board.ram_free_bytes, board.ram_bytes
    if free is None or total is None:
        return Observation("memory", True, False, "the board does not tell")
    swap = f", {board.swap_used_bytes >> 20} MB swapped out" if board.swap_used_bytes else ""
    detail = f"{free >> 20} of {total >> 20} MB are free{swap}"
    return Observation("memory", free >= _LITTLE_MEMORY, False, detail)


def _disk(free: int | None, folder: str) -> Observation:
    if free is None:
        return Observation("disk", True, False, "the board does not tell")
    return Observation("disk", free >= _LITTLE_DISK, False, f"{free >> 20} MB are free at {folder}")


def _state(board: BoardFacts) -> list[Observation]:
    seen = []
    if board.temperatures_c:
        seen.append(_temperature(board.temperatures_c))
    if board.governor:
        steady = board.governor == "performance"
        advice = "" if steady else "; `performance` gives steadier times"
        seen.append(Observation("governor", steady, False, f"{board.governor}{advice}"))
    if board.throttled is not None:
        words = throttling_in_words(board.throttled)
        seen.append(Observation("throttling", board.throttled == 0, False, words))
    if board.load:
        seen.append(Observation("load", True, False, f"{board.load} (mean of a minute)"))
    if board.emulated:
        words = f"{board.stand_in}: answers count, times, memory and energy do not"
        seen.append(Observation("speed", False, False, words))
    return seen


def _temperature(zones: dict[str, float]) -> Observation:
    words = ", ".join(f"{name} {value:.0f} °C" for name, value in zones.items())
    return Observation("temperature", max(zones.values()) < _HOT, False, words)
