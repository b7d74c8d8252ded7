"""`python -m mistakes EXAMPLES SPOILS…` prints the outcomes of some rows as JSON.

`python -m mistakes EXAMPLES good` prints those of every verb with nothing wrong.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from mistakes.rows import rows, run_good, run_row


def _limit_files() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def _go_through(folder: Path, spoils: Sequence[str]) -> None:
    """Print the outcome of each row, and whether this process really lacks the rights."""
    work = Path(tempfile.mkdtemp(prefix="work-", dir=folder))  # several processes share the folder
    probe = work / "probe"
    probe.write_bytes(b"x")
    probe.chmod(0)
    lacks = not os.access(probe, os.R_OK)
    told = []
    chosen = sorted(rows(locked=True), key=lambda row: row.spoil == "full")  # no way back from it
    for number, row in enumerate(row for row in chosen if row.spoil in spoils):
        if row.spoil == "full":
            _limit_files()
        outcomes = run_row(row, folder, work / str(number))
        told += [(asdict(row), asdict(outcome)) for outcome in outcomes]
    sys.stdout.write(json.dumps({"lacks": lacks, "told": told}))


if __name__ == "__main__":
    if sys.argv[2:] == ["good"]:
        sys.stdout.write(json.dumps([asdict(outcome) for outcome in run_good(Path(sys.argv[1]))]))
    else:
        _go_through(Path(sys.argv[1]), sys.argv[2:])
