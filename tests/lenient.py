"""`edgekd` with the targets of another folder: python lenient.py HOME COMMAND …"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from edgekd import targets
from edgekd.cli import main

SCRIPT = Path(__file__)


def run(home: Path, arguments: Sequence[str]) -> int:
    folders = sorted(file.parent for file in home.glob("*/target.toml"))
    targets.target_folders = lambda: folders
    return main(arguments)


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), sys.argv[2:]))
