"""Damage to a manifest that stays JSON, or nearly: its values, keys and structure."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from numpy.random import Generator

from abuse.mutations import mutate_bytes, pick

__all__ = ["mutate_manifest"]

_DEEP = 40_000
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3, 2**31, 2**63, 2**64, -(2**63), 10**400, 0.5, -0.0, 1e-320,
    1e308, -1e308, 5e-324, "", "0", "nan", "NaN", "\0", "é", "\ud800", "𝕏" * 300, "../../x", "/etc",
    "a" * 70_000, "tflite", "onnx", "openvino", "tensorrt", "model.onnx", "selftest.npz",
    "manifest.json", "1.99", "2.0", "1", "-1.0", "1e0", [], {}, [None], {"": None}, [[[[]]]],
    {"low": None, "high": 0.5}, ["mel", "nv"], ["mel", "mel", "nv"], [1, 2, 3], {"mel": 0.3},
)  # fmt: skip
_LITERALS = (
    b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e400", b"1" * 5000, b"0x10", b"01", b".5",
    b'"\\ud800"', b'"\xff\xfe"', b"[" * _DEEP, b"[" * _DEEP + b"]" * _DEEP, b'{"a":' * _DEEP,
    b"", b"nul", b"'a'", b'"a\nb"', b"1,", b"{}", b"// a\n1",
)  # fmt: skip
_MARK = "\u2603 mark \u2603"


def mutate_manifest(rng: Generator, raw: bytes) -> bytes:
    """The manifest with one to three changes."""
    way = int(rng.integers(12))
    if way == 0:
        return mutate_bytes(rng, raw)
    document = json.loads(raw)
    for _ in range(int(rng.integers(1, 4))):
        _change(rng, document)
    if way == 1:
        return _with_literal(rng, document)
    if way == 2:
        return _dressed(rng, json.dumps(document).encode())
    return json.dumps(document).encode()


def _change(rng: Generator, document: Any) -> None:
    """Change one place of the document, in place."""
    holder, key = _somewhere(rng, document)
    old, way = holder[key], int(rng.integers(8))
    if way < 3:
        holder[key] = deepcopy(pick(rng, _VALUES))  # a later change must not reach the next case
    elif way == 3:
        del holder[key]
    elif way == 4:
        other, where = _somewhere(rng, document)
        # Copies, since one may contain the other.
        holder[key], other[where] = deepcopy(other[where]), deepcopy(old)
    elif way == 5 and isinstance(holder, dict):
        holder[pick(rng, ("x", "", "é", "../a", key + " ", key.upper(), "a" * 300))] = old
    elif way == 6 and isinstance(old, str | list | dict):
        holder[key] = _grown(rng, old)
    elif isinstance(old, int | float):
        holder[key] = pick(rng, (-old, old + 1, old * 10**6, str(old), old * 2**40, [old]))
    else:
        holder[key] = [old]


def _somewhere(rng: Generator, document: Any) -> tuple[Any, Any]:
    """A container and a key in it, some levels down; the whitening's numbers are few among many."""
    place: tuple[Any, Any] = ({"all": document}, "all")
    found = document
    while isinstance(found, dict | list) and found:
        place = found, pick(rng, list(found) if isinstance(found, dict) else range(len(found)))
        found = place[0][place[1]]
        if rng.integers(4) == 0:
            break
    return place


def _grown(rng: Generator, old: Any) -> Any:
    times = pick(rng, (2, 50, 3000))
    if isinstance(old, dict):
        return old | {f"x{number}": next(iter(old.values()), None) for number in range(times)}
    return (old * times)[:200_000]


def _with_literal(rng: Generator, document: Any) -> bytes:
    """A value that is no JSON, or hardly."""
    holder, key = _somewhere(rng, document)
    holder[key] = _MARK
    return json.dumps(document).encode().replace(json.dumps(_MARK).encode(), pick(rng, _LITERALS))


def _dressed(rng: Generator, raw: bytes) -> bytes:
    """The same text in another encoding, with something around it, or with a key that is double."""
    text = raw.decode()
    return pick(
        rng,
        (
            text.encode("utf-16"), b"\xef\xbb\xbf" + raw, raw + b"\0", raw + raw, raw[:-1], b"",
            b" " * 200_000 + raw, raw + b" " * (5 << 20), b"null", b"[]", b'"1.0"',
            raw.replace(b'"format_version"', b'"format_version": "1.0", "format_version"', 1),
            raw.replace(b'"task"', b'"task": "classification", "task"', 1),
        ),
    )  # fmt: skip
