"""One of two processes that train the methods with players."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import manual_methods
import method_share
from method_share import PRECISIONS
from pair import Outcome, take_part

CASES = [(label, precision) for label in manual_methods.SECTIONS for precision in PRECISIONS]
# One precision of each method, either one in turn.
QUICK = [(label, PRECISIONS[n % 2]) for n, label in enumerate(manual_methods.SECTIONS)]


def outcomes(processes: int, cases: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Outcome]:
    """Of every case, as one of some processes; the environment says where methods and work are."""
    sys.path.insert(0, os.environ["METHODS"])
    method_share.SECTIONS.update(manual_methods.SECTIONS)
    return method_share.all_outcomes(Path(os.environ["WORK"]), processes, cases)


if __name__ == "__main__":
    cases = [(label, precision) for label, precision in json.loads(os.environ["CASES"])]
    take_part(lambda rank, processes: outcomes(processes, cases))
