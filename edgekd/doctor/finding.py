"""One result of `edgekd doctor`."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """One ability of this machine, or one state that it is in.

    Attributes:
        ability: The verb phrase "…" in "this machine can …"; for a state, its name.
        works: Whether the machine has the ability, or the state is as it should be.
        needed: Whether the target cannot be run on this machine without it.
        detail: Versions, or what fails and what to do.
        package: The first package that fails, or "".
        extra: The extra that installs it; empty where none of edgekd's does.
    """

    ability: str
    works: bool
    needed: bool
    detail: str
    package: str = ""
    extra: str = ""
