"""Imports of large libraries without what they bring along for uses that are not made of them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

__all__ = ["without_modules"]


@contextlib.contextmanager
def without_modules(*names: str) -> Iterator[None]:
    """Let modules be "not importable" within this block, unless they are imported already.

    Libraries import an optional package wherever it is installed. What they then skip stays
    skipped in this process; the packages themselves can be imported after the block.

    Args:
        names: Top-level modules.
    """
    hidden = [name for name in names if name not in sys.modules]
    # None in sys.modules is Python's own way to say "not importable".
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
