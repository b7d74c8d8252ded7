from __future__ import annotations

import numpy as np
import pytest

from edgekd.runtime.images.huffman import (
    BLOCK_END,
    EMPTY_BLOCKS,
    NO_CODE,
    SIXTEEN_ZEROS,
    CodeError,
    HuffmanTable,
    numbers_by_bits,
)


def table(*codes: tuple[int, int]) -> HuffmanTable:
    """A table of (length, symbol) in order of length."""
    counts = bytes(sum(length == each for length, _ in codes) for each in range(1, 17))
    return HuffmanTable(counts, bytes(symbol for _, symbol in codes))


# Codes 00, 01, 100 (T.81, C.2: consecutive within a length); 101 and 11 are no codes.
TABLE = table((2, 0x03), (2, 0x00), (3, 0x51))


def at(kind: str, bits: str) -> int:
    return int(numbers_by_bits(TABLE, kind)[int(bits.ljust(16, "0"), 2)])


def test_codes_of_one_length_are_consecutive() -> None:
    # Length of the code and of what follows it: symbol 3 is followed by three bits.
    assert [at("dc", bits) for bits in ("00", "01", "11")] == [2 + 3, 2, 0]
    # Of a coefficient the lower half of the symbol counts.
    assert [at("ac", bits) for bits in ("00", "01", "100")] == [2 + 3, 2, 3 + 1]


def test_steps_pass_zeros_or_end_the_block() -> None:
    assert at("step", "00") == 1
    assert at("step", "01") == BLOCK_END
    assert at("step", "100") == 5 + 1
    assert at("step", "101") == at("step", "11") == NO_CODE


def test_progressive_kinds() -> None:
    zeros = table((1, 0xF0), (2, 0x30), (3, 0x21), (4, 0x22))
    kinds = numbers_by_bits(zeros, "kind")
    codes = [0, 0b10 << 14, 0b110 << 13, 0b1110 << 12, 0b1111 << 12]
    assert kinds[codes].tolist() == [SIXTEEN_ZEROS, EMPTY_BLOCKS + 3, 2, 2, NO_CODE]
    # Where a coefficient gets one bit, none may have two.
    bits = numbers_by_bits(zeros, "bit")
    assert bits[codes].tolist() == [SIXTEEN_ZEROS, EMPTY_BLOCKS + 3, 2, NO_CODE, NO_CODE]


@pytest.mark.parametrize(
    "broken",
    [
        table((1, 0), (1, 1), (1, 2)),  # more codes of one bit than there are
        HuffmanTable(bytes([2] + [0] * 15), b"\0"),  # a symbol is missing
        HuffmanTable(bytes([1] + [0] * 15), b"\0\1"),  # or one too many
    ],
)
def test_table_that_contradicts_itself(broken: HuffmanTable) -> None:
    with pytest.raises(CodeError):
        numbers_by_bits(broken, "ac")


def test_every_value_of_16_bits_has_a_number() -> None:
    full = table(*((8, symbol) for symbol in range(255)))
    assert numbers_by_bits(full, "ac").shape == (1 << 16,)
    assert np.count_nonzero(numbers_by_bits(full, "step") == NO_CODE) == 1 << 8
