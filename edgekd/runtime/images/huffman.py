"""Huffman tables of a JPEG, as numbers that are looked up by the next 16 bits of the data.

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
"""Steps beyond every coefficient: the block ends; the table has no such code."""

SIXTEEN_ZEROS, EMPTY_BLOCKS = 16, 32
"""Kinds of a progressive code: sixteen zeros; from 32 on, a run of empty blocks whose length has
so many more bits."""


class CodeError(Exception):
    """The compressed data of a JPEG are not those of its picture."""


class HuffmanTable(NamedTuple):
    """A table: how many codes there are of each length from 1 to 16 bits, and their symbols."""

    counts: bytes
    symbols: bytes


@lru_cache(maxsize=64)
def numbers_by_bits(table: HuffmanTable, kind: str) -> NDArray[np.uint8]:
    """One number for each value of the next 16 bits, uint8 [65536].

    Args:
        table: The Huffman table.
        kind: What the number is:
            `dc`: bits to the next code, of a table of constants; 0 where there is no such code.
            `ac`: bits to the next code, of a table of coefficients.
            `step`: coefficients that are passed, `BLOCK_END` or `NO_CODE`.
            `kind`: zeros before a coefficient that is not zero, `SIXTEEN_ZEROS`, `EMPTY_BLOCKS`
            and more, or `NO_CODE`.
            `bit`: the same where a coefficient has one bit, as in passes that refine.

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
    """By 16 bits that begin with a code, its length (0: there is none) and its symbol.

    Codes of one length are consecutive, and each longer one follows the last (T.81, C.2).
    """
    lengths = [length for length, count in enumerate(table.counts, start=1) for _ in range(count)]
    spans = [1 << (16 - length) for length in lengths]
    rest = (1 << 16) - sum(spans)
    if len(table.symbols) != len(spans) or rest < 0:
        raise CodeError
    length = np.repeat(np.array([*lengths, 0], np.uint8), [*spans, rest])
    return length, np.repeat(np.frombuffer(table.symbols + b"\0", np.uint8), [*spans, rest])
