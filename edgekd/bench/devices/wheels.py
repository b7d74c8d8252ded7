"""Wheels for a board without a network, chosen from a folder by what it needs and can load.

They are unpacked and not installed by pip, which the Python of many boards lacks.
Source: PyPA specifications, binary distribution format (file names, tags), core metadata.
"""

from __future__ import annotations

import email
import re
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekd.bench.devices.probe import BoardFacts
from edgekd.errors import InputError
from edgekd.extensions.backends import Requirement

__all__ = ["Wheel", "choose_wheels", "first_of", "read_wheelhouse"]

_MANYLINUX = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_NUMBERED = re.compile(r"manylinux_(\d+)_(\d+)_(\w+)")


@dataclass(frozen=True)
class Wheel:
    """A wheel's file.

    Attributes:
        path: Path of the file.
        name: Name of the distribution, normalised.
        version: Version of the distribution.
        pythons: Python tags, such as `cp311`.
        abis: ABI tags, such as `abi3`.
        platforms: Platform tags, such as `manylinux_2_28_aarch64`.
    """

    path: Path
    name: str
    version: str
    pythons: tuple[str, ...]
    abis: tuple[str, ...]
    platforms: tuple[str, ...]

    def fits(self, board: BoardFacts) -> bool:
        """Whether that board can load it."""
        python = any(_python_fits(tag, self.abis, board) for tag in self.pythons)
        return python and any(_platform_fits(tag, board) for tag in self.platforms)

    @property
    def order(self) -> tuple[int, ...]:
        """Sort key: the numbers of the version; pre-releases come first."""
        release = re.match(r"\d+(\.\d+)*", self.version)
        numbers = [int(part) for part in release[0].split(".")] if release else []
        final = bool(release) and not re.search(r"(a|b|rc|dev)\d*", self.version)
        return (*numbers, *([0] * (6 - len(numbers))), int(final))

    def requires(self) -> set[str]:
        """Names of its requirements without extras."""
        with zipfile.ZipFile(self.path) as archive:
            named = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            text = archive.read(next(named)).decode(errors="replace")
        lines = email.message_from_string(text).get_all("Requires-Dist") or []
        plain = (line for line in lines if "extra ==" not in line.replace("extra==", "extra =="))
        names = (re.match(r"[\w.-]+", line.strip()) for line in plain)
        return {normalised(match[0]) for match in names if match}


def normalised(name: str) -> str:
    """A distribution's name, normalised for comparisons."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_wheelhouse(folder: Path) -> list[Wheel]:
    """The wheels of a folder.

    Raises:
        InputError: There are none.
    """
    wheels = [wheel for path in sorted(folder.glob("*.whl")) if (wheel := _parsed(path))]
    if not wheels:
        message = f"there are no wheels in {folder}"
        raise InputError(message, "fill it by `pip download -d FOLDER …` for the board's platform")
    return wheels


def choose_wheels(
    wheels: Sequence[Wheel], requested: Iterable[str], board: BoardFacts
) -> tuple[list[Wheel], list[str]]:
    """The newest fitting wheels of some distributions and of their requirements.

    A requirement without a wheel in the folder is left to the board, which may have it.

    Returns:
        The wheels, and the requested names of which the folder has wheels that do not fit.
    """
    best: dict[str, Wheel] = {}
    for wheel in sorted((wheel for wheel in wheels if wheel.fits(board)), key=lambda w: w.order):
        best[wheel.name] = wheel
    chosen: dict[str, Wheel] = {}
    queue = [normalised(name) for name in requested]
    foreign = sorted({w.name for w in wheels if w.name in queue and w.name not in best})
    while queue:
        name = queue.pop()
        if name in best and name not in chosen:
            chosen[name] = best[name]
            queue += best[name].requires()
    return [chosen[name] for name in sorted(chosen)], foreign


def first_of(need: Requirement, wheels: Sequence[Wheel]) -> str:
    """The distribution of the wheelhouse that meets a requirement, else the usual one."""
    names = {wheel.name for wheel in wheels}
    return next((name for name in need.distributions if name in names), need.distributions[0])


def _parsed(path: Path) -> Wheel | None:
    parts = path.stem.split("-")
    if len(parts) not in (5, 6):
        return None
    pythons, abis, platforms = (tuple(part.split(".")) for part in parts[-3:])
    return Wheel(path, normalised(parts[0]), parts[1], pythons, abis, platforms)


def _python_fits(tag: str, abis: Sequence[str], board: BoardFacts) -> bool:
    major, minor = board.python_version
    if tag in ("py3", f"py{major}{minor}"):
        return "none" in abis
    match = re.fullmatch(r"cp3(\d+)", tag)
    if match is None:
        return False
    own = int(match[1]) == minor
    return (own and bool({f"cp{major}{minor}", "none"} & set(abis))) or (
        "abi3" in abis and int(match[1]) <= minor
    )


def _platform_fits(tag: str, board: BoardFacts) -> bool:
    if tag in ("any", f"linux_{board.machine}"):
        return True
    numbered = _NUMBERED.fullmatch(tag)
    if numbered:
        needs, machine = (int(numbered[1]), int(numbered[2])), numbered[3]
    else:
        old, _, machine = tag.partition("_")
        if old not in _MANYLINUX:
            return False
        needs = _MANYLINUX[old]
    return machine == board.machine and board.glibc is not None and needs <= board.glibc
