"""Damage to bytes that knows nothing of their format."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TypeVar

from numpy.random import Generator

__all__ = [
    "BYTE_MUTATIONS",
    "HOSTILE_NUMBERS",
    "flip_bits",
    "mutate_bytes",
    "pick",
    "place",
    "replaced",
]

T = TypeVar("T")

HOSTILE_NUMBERS = (
    0, 1, 2, 7, 8, 255, 256, 4096, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 50_000, 1_000_000,
    0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF,
)  # fmt: skip
"""Sizes and counts that readers get wrong: edges of 8, 16 and 32 bits, signed and not."""

_FORMATS = ("B", "<H", ">H", "<I", ">I")


def pick(rng: Generator, choices: Sequence[T]) -> T:
    """One of the choices."""
    return choices[int(rng.integers(len(choices)))]


def place(rng: Generator, data: bytes) -> int:
    """A position in the data; half of the time near its beginning or its end, where headers are."""
    length = len(data)
    near = min(length, 64)
    where = int(rng.integers(4))
    if where == 0:
        return int(rng.integers(near + 1))
    if where == 1:
        return length - int(rng.integers(near + 1))
    return int(rng.integers(length + 1))


def replaced(data: bytes, start: int, piece: bytes) -> bytes:
    """The data with a piece written over it; it gets no longer."""
    start = max(0, min(start, len(data)))
    return (data[:start] + piece + data[start + len(piece) :])[: len(data)]


def flip_bits(rng: Generator, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 9)) if data else 0):
        changed[min(place(rng, data), len(data) - 1)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def set_number(rng: Generator, data: bytes) -> bytes:
    kind = pick(rng, _FORMATS)
    number = pick(rng, HOSTILE_NUMBERS) % 256 ** struct.calcsize(kind)
    return replaced(data, place(rng, data), struct.pack(kind, number))


def set_noise(rng: Generator, data: bytes) -> bytes:
    return replaced(data, place(rng, data), rng.bytes(int(rng.integers(1, 40))))


def set_zeros(rng: Generator, data: bytes) -> bytes:
    fill = bytes([pick(rng, (0, 0, 255))])
    return replaced(data, place(rng, data), fill * int(rng.integers(1, 200)))


def truncate(rng: Generator, data: bytes) -> bytes:
    return data[: place(rng, data)]


def behead(rng: Generator, data: bytes) -> bytes:
    return data[place(rng, data) :]


def insert(rng: Generator, data: bytes) -> bytes:
    at = place(rng, data)
    return data[:at] + rng.bytes(int(rng.integers(1, 64))) + data[at:]


def cut_out(rng: Generator, data: bytes) -> bytes:
    at = place(rng, data)
    return data[:at] + data[at + int(rng.integers(1, 64)) :]


def double(rng: Generator, data: bytes) -> bytes:
    start, stop = sorted((place(rng, data), place(rng, data)))
    at, piece = place(rng, data), data[start : min(stop, start + 4096)]
    return data[:at] + piece * int(rng.integers(1, 4)) + data[at:]


def swap(rng: Generator, data: bytes) -> bytes:
    a, b, c = sorted(place(rng, data) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def append(rng: Generator, data: bytes) -> bytes:
    return data + pick(rng, (b"\0", rng.bytes(30), data[:200], data))


BYTE_MUTATIONS: tuple[Callable[[Generator, bytes], bytes], ...] = (
    flip_bits, flip_bits, set_number, set_number, set_noise, set_zeros, truncate, behead, insert,
    cut_out, double, swap, append,
)  # fmt: skip


def mutate_bytes(rng: Generator, data: bytes, most: int = 4) -> bytes:
    """One to `most` kinds of damage, one after the other."""
    for _ in range(int(rng.integers(1, most + 1))):
        data = pick(rng, BYTE_MUTATIONS)(rng, data)
    return data
