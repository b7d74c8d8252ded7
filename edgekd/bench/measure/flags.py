"""Flags of measured numbers: a code that programs compare, and details for people."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

__all__ = ["NOT_MEASURED", "Flag", "has_code", "is_not_measured"]

NOT_MEASURED = {
    "accuracy": "accuracy-not-measured",
    "latency": "latency-not-measured",
    "memory": "memory-not-measured",
    "sweep": "sweep-not-measured",
    "sustained": "sustained-not-measured",
    "energy": "energy-not-measured",
}
"""Code of the flag that explains a null, by the kind of number that is null."""


class Flag(msgspec.Struct, frozen=True):
    """One reason why a number is missing, invalid, or valid only under a condition.

    Attributes:
        code: One of the codes that `edgekd.bench.report.flags` has a sentence for.
        detail: The circumstances of this row, without a full stop; may be empty.
    """

    code: str
    detail: str = ""

    def __str__(self) -> str:
        """`code: detail`, as in tables of plain text."""
        return f"{self.code}: {self.detail}" if self.detail else self.code


def is_not_measured(flag: Flag) -> bool:
    """Whether the flag explains a number that was requested and is null."""
    return flag.code in NOT_MEASURED.values()


def has_code(flags: Sequence[Flag], code: str) -> bool:
    """Whether one of the flags has that code."""
    return any(flag.code == code for flag in flags)
