"""Huffman tables of a JPEG as lookup tables, indexed by the next 16 bits of the data.

Source: ITU-T T.81, annex C (tables), F.2 (sequential codes) and G.2 (progressive codes).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BLOCK_END",
    "EMPTY_BLOCKS",
    "NO_CODE",
    "SIXTEEN_ZEROS",
    "CodeError",
    "HuffmanTable",
    "numbers_by_bits",
]

BLOCK_END, NO_CODE = 128, 255
"""Special steps: end of block; not a code of the table."""

SIXTEEN_ZEROS, EMPTY_BLOCKS = 16, 32
"""Kinds of a progressive code: a run of sixteen zeros; 32 + n: a run of empty blocks (EOBn) whose
length is given by n further bits."""


class CodeError(Exception):
    """The compressed data of a JPEG do not match its header."""


class HuffmanTable(NamedTuple):
    """A Huffman table: number of codes of each length from 1 to 16 bits, and their symbols."""

    counts: bytes
    symbols: bytes


@lru_cache(maxsize=64)
def numbers_by_bits(table: HuffmanTable, kind: str) -> NDArray[np.uint8]:
    """A lookup table by the value of the next 16 bits, uint8 [65536].

    Args:
        table: The Huffman table.
        kind: Meaning of the entries:
            `dc`: number of bits to the next code, for a DC table; 0 where there is no such code.
            `ac`: number of bits to the next code, for an AC table.
            `step`: number of coefficients that the code covers, `BLOCK_END` or `NO_CODE`.
            `kind`: number of zeros before a non-zero coefficient, `SIXTEEN_ZEROS`,
            `EMPTY_BLOCKS` + n, or `NO_CODE`.
            `bit`: as `kind`, but only one-bit coefficients are valid, as in refinement scans.

    Raises:
        CodeError: The table contradicts itself.
    """
    length, symbol = _spread(table)
    run, size = symbol >> 4, symbol & 15
    if kind == "dc":
        return np.where((length > 0) & (symbol < 16), length + symbol, 0).astype(np.uint8)
    if kind == "ac":
        return (length + size).astype(np.uint8)
    if kind == "step":
        step = np.where((size > 0) | (run == 15), run + 1, BLOCK_END)
        return np.where(length > 0, step, NO_CODE).astype(np.uint8)
    kinds = np.where(size > 0, run, np.where(run == 15, SIXTEEN_ZEROS, EMPTY_BLOCKS + run))
    valid = length > 0 if kind == "kind" else (length > 0) & (size < 2)
    return np.where(valid, kinds, NO_CODE).astype(np.uint8)


def _spread(table: HuffmanTable) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Length (0: no code) and symbol of the code that 16 bits begin with, each uint8 [65536].

    Codes are consecutive, from shorter to longer ones (T.81, C.2).
    """
    lengths = [length for length, count in enumerate(table.counts, start=1) for _ in range(count)]
    spans = [1 << (16 - length) for length in lengths]
    rest = (1 << 16) - sum(spans)
    if len(table.symbols) != len(spans) or rest < 0:
        raise CodeError
    length = np.repeat(np.array([*lengths, 0], np.uint8), [*spans, rest])
    return length, np.repeat(np.frombuffer(table.symbols + b"\0", np.uint8), [*spans, rest])
