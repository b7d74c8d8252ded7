"""Flags: a code to compare, and details for people."""

from __future__ import annotations

import msgspec

from edgekd.bench.measure.flags import NOT_MEASURED, Flag, has_code, is_not_measured


def test_as_text() -> None:
    assert str(Flag("drift", "model: slower")) == "drift: model: slower"
    assert str(Flag("smoke")) == "smoke"


def test_codes_are_compared_whole() -> None:
    flags = [Flag("energy-not-measured", "drift: is no code here"), Flag("drifting")]
    assert not has_code(flags, "drift")
    assert has_code(flags, "drifting")
    assert [is_not_measured(flag) for flag in flags] == [True, False]
    assert is_not_measured(Flag(NOT_MEASURED["sweep"]))


def test_it_travels_as_json() -> None:
    raw = msgspec.json.encode(Flag("swap", "1 MB"))
    assert raw == b'{"code":"swap","detail":"1 MB"}'
    assert msgspec.json.decode(raw, type=Flag) == Flag("swap", "1 MB")
