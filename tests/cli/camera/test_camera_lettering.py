"""Text on a picture."""

from __future__ import annotations

from edgekd.cli.camera.lettering import plain, width_of, wrapped


def test_letters() -> None:
    assert plain("Läsion – naevus ≥ µ") == "Lasion - naevus >= ?"
    lines = wrapped("hold still and focus, then take it again", 10, 120)
    assert len(lines) > 1
    assert " ".join(lines) == "hold still and focus, then take it again"
    assert all(width_of(line, 10) <= 120 for line in lines)
    assert wrapped("unbreakable", 10, 1) == ["unbreakable"]
