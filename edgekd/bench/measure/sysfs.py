"""Values in small files of the kernel; None where one cannot be read."""

from __future__ import annotations

from pathlib import Path

__all__ = ["field", "number", "text"]


def text(path: Path) -> str | None:
    """Content without surrounding blanks; None without the file."""
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
    """Value of the first line `name: value`; empty without one."""
    for line in (text(path) or "").splitlines():
        key, _, value = line.partition(separator)
        if key.strip() == name:
            return value.strip()
    return ""
