"""Damage to self-test vectors: arrays of other kinds and shapes, headers that lie, bombs."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
from numpy.random import Generator

from abuse.mutations import mutate_bytes, pick, replaced

__all__ = ["mutate_npz"]

_DTYPES = ("<f8", "<f2", "<i8", "|u1", "<c16", "<U3", "|S2", "|b1", ">f4", "<M8[s]", "|V3")
_LIES = (
    b"(999999999999,)", b"(2, 64, 64, 300000)", b"(-1, 64, 64, 3)", b"(2, 64, 64)", b"()",
    b"(0, 64, 64, 3)", b"(2, 64, 64, 3, 1)", b"[2]", b"None", b"(" * 80,
)  # fmt: skip


def mutate_npz(rng: Generator, raw: bytes) -> bytes:
    """The file with one change that mostly leaves it a readable `.npz`."""
    way = int(rng.integers(8))
    if way == 0:
        return mutate_bytes(rng, raw)
    with np.load(io.BytesIO(raw)) as archive:
        arrays: dict[str, Any] = {name: archive[name] for name in archive.files}
    name = pick(rng, sorted(arrays))
    if way == 1:
        return _with_header(rng, arrays, name)
    if way == 2:
        arrays[pick(rng, (name, "extra"))] = np.array([{"an": "object"}], object)
    elif way == 3:
        arrays.pop(name)
    elif way == 4:
        arrays[name] = arrays[name].astype(pick(rng, _DTYPES[:5]))
    elif way == 5:
        arrays[name] = _reshaped(rng, arrays[name])
    elif way == 6:
        arrays["logits"] = arrays["logits"] * pick(rng, (np.nan, np.inf, 1e38, -1.0, 0.0))
    else:
        value = pick(rng, (np.nan, np.inf, -1.0, 0.0, 1e-300, 1e300))
        arrays["tolerance"] = np.array(value)
    return _saved(arrays, compressed=bool(rng.integers(4) == 0))


def _saved(arrays: dict[str, Any], *, compressed: bool) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def _reshaped(rng: Generator, array: Any) -> Any:
    way = int(rng.integers(5))
    if way == 0:
        return array.reshape(-1)
    if way == 1:
        return array[None]
    if way == 2 and array.ndim:
        return array[:0]
    if way == 3 and array.ndim:
        return np.repeat(array, pick(rng, (2, 40)), axis=int(rng.integers(array.ndim)))
    return array.T


def _with_header(rng: Generator, arrays: dict[str, Any], name: str) -> bytes:
    """One array's header says another shape or dtype than the data behind it has."""
    members = {}
    for key, array in arrays.items():
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.asanyarray(array))
        members[key] = buffer.getvalue()
    members[name] = _lying(rng, members[name])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for key, content in members.items():
            archive.writestr(f"{key}.npy", content)
    return buffer.getvalue()


def _lying(rng: Generator, member: bytes) -> bytes:
    start, stop = member.find(b"'shape': ") + 9, member.find(b", }")
    if rng.integers(3):
        lie = pick(rng, _LIES)
        return replaced(member, start, lie + b", }" + b" " * max(0, stop - start - len(lie)))
    at = member.find(b"'descr': '") + 10
    return replaced(member, at, pick(rng, _DTYPES).encode()[:3])
