"""A device of devices.toml, by the way that it is reached."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekd.bench.devices import Device

__all__ = ["open_configured"]


def open_configured(name: str, *, wheelhouse: Path | None = None) -> Device | None:
    """The configured device of that name, or None where there is none."""
    return None
