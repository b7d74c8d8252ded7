"""The folder that vectors are written to: files with one content are written once."""

from __future__ import annotations

from pathlib import Path

__all__ = ["Folder"]


class Folder:
    """Files of the vectors, by names relative to a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, name: str, content: bytes) -> str:
        """Write a file and return its name; one of another content is never overwritten."""
        place = self.root / name
        if place.is_file() and place.read_bytes() != content:
            raise ValueError(f"two files of the vectors have the name {name}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return name
