"""What must hold for every file of the repository."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from edgekd.lower.shipped.storage import MOST_BYTES
from edgekd.models.card import WEIGHTS

REPOSITORY = Path(__file__).resolve().parent.parent
ADDRESS = re.compile(rf"index-url\s*=?\s*\S|registry\s*=\s*http|{re.escape(str(Path.home()))}/")


def tracked_files() -> list[Path]:
    command = ["git", "-C", str(REPOSITORY), "ls-files", "-z"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("needs a git checkout")
    return [REPOSITORY / name for name in done.stdout.split("\0") if name]


def test_no_package_index_and_no_home_of_one_machine() -> None:
    found = [
        str(file)
        for file in tracked_files()
        if file.is_file() and file != Path(__file__).resolve()
        if ADDRESS.search(file.read_text(encoding="utf-8", errors="ignore"))
    ]
    assert found == []


def most_bytes(file: Path) -> int:
    """How large a file may be; weights that ship, or teach the study, have a limit of their own."""
    places = (REPOSITORY / "edgekd" / "students", REPOSITORY / "benchmarks" / "study" / "results")
    kept = file.name == WEIGHTS and any(file.is_relative_to(place) for place in places)
    return MOST_BYTES if kept else 2_000_000


def test_no_large_files() -> None:
    large = [f for f in tracked_files() if f.is_file() and f.stat().st_size > most_bytes(f)]
    assert large == []
    weights = REPOSITORY / "edgekd" / "students" / "any" / WEIGHTS
    assert (most_bytes(weights), most_bytes(REPOSITORY / WEIGHTS)) == (10_000_000, 2_000_000)
