"""What the kernel tells in small files; what cannot be read is None."""

from __future__ import annotations

from pathlib import Path

__all__ = ["field", "number", "text"]


def text(path: Path) -> str | None:
    """Content without the blanks around it; None where there is none."""
    try:
        return path.read_text(errors="replace").strip("\0\n ") or None
    except OSError:
        return None


def number(path: Path) -> int | None:
    """Content as a whole number."""
    content = text(path)
    if content is None or not content.lstrip("-").isdecimal():
        return None
    return int(content)


def field(path: Path, name: str, separator: str = ":") -> str:
    """Value of the first line `name: value`, or nothing."""
    for line in (text(path) or "").splitlines():
        key, _, value = line.partition(separator)
        if key.strip() == name:
            return value.strip()
    return ""
