"""Opening and closing again and again keeps nothing: memory, files, threads, temporary files."""

from __future__ import annotations

from typing import Any

import pytest

FORMS = ("folder", "file", "bytes")
KEPT = 10_000
"""Bytes of resident memory that an opening may keep on average, beyond what the bare engine keeps.
Pages that the C library takes once show as up to 400 kB in 60 openings; a bundle that stayed
(40 kB), or a session (ONNX Runtime: 300 kB), is well above it."""
SETTLING = 600_000
"""Bytes that the heap may grow once, whatever the number of openings."""


def growth(found: dict[str, Any]) -> int:
    """Bytes between the first opening that counts and the last."""
    (_, first), *_, (_, last) = found["memory"]
    return int(last - first)


def leaks(found: dict[str, Any], count: int, bare: int = 0) -> set[str]:
    """What was kept: any of `memory`, `files`, `threads`, `places`."""
    assert len(found["memory"]) == count + 1
    kept = {kind for kind in ("files", "places") if found[kind]}
    if found["threads"] > 0:
        kept.add("threads")
    if growth(found) >= SETTLING + KEPT * count + max(0, bare):
        kept.add("memory")
    return kept


def test_leaks_would_be_seen(loop: Any) -> None:
    found = loop("leaky", "tflite", "bytes", 100, 20)
    assert leaks(found, 100) == {"memory", "files", "threads", "places"}


@pytest.mark.slow
def test_forty_openings_leak_nothing(backend: str, loop: Any) -> None:
    assert leaks(loop("openings", backend, "bytes", 40, 20), 40) == set()


@pytest.mark.abuse
@pytest.mark.parametrize("form", FORMS)
def test_two_hundred_openings_leak_nothing(backend: str, form: str, loop: Any) -> None:
    bare = growth(loop("bare", backend, form, 200, 20))
    found = loop("openings", backend, form, 200, 20)
    curve = [memory for _, memory in found["memory"]][::50]
    print(f"{backend} {form}: {found['seconds']:.1f} s, memory {curve}, bare engine +{bare}")
    assert leaks(found, 200, bare) == set()
